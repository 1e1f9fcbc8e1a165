"""The headers of a name that should not be used any more."""

from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.retirement import retirement_headers
from services.edge.domain.ports import Retirement

SECONDS = st.integers(1, 2**33 - 1)


def test_a_name_in_use_has_no_headers() -> None:
    assert retirement_headers("tiny-eu", None) == []


def test_a_retired_name_says_since_when_until_when_and_what_answers() -> None:
    assert dict(retirement_headers("org/tiny-eu", Retirement(1_780_000_000, 1_800_000_000))) == {
        b"deprecation": b"@1780000000",
        b"sunset": b"Fri, 15 Jan 2027 08:00:00 GMT",
        b"link": b'</v1/models/org/tiny-eu>; rel="successor-version"',
    }
    assert b"sunset" not in dict(retirement_headers("tiny-eu", Retirement(1_780_000_000)))


@given(st.text(min_size=1), SECONDS, SECONDS)
def test_whatever_the_catalog_says_stays_in_its_header(name: str, since: int, until: int) -> None:
    headers = dict(retirement_headers(name, Retirement(since, until)))
    assert all(value.isascii() and value.decode().isprintable() for value in headers.values())
    target, rest = headers[b"link"].decode().removeprefix("</v1/models/").split(">", 1)
    assert unquote(target) == name
    assert rest == '; rel="successor-version"'
    assert parsedate_to_datetime(headers[b"sunset"].decode()).timestamp() == until
