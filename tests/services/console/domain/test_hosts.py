"""Loopback and the settings' names are the console's; every other name is another site's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.domain.hosts import host_name, is_from_own_page, is_own_host

NAMES = frozenset({"console.example"})


@pytest.mark.parametrize(
    "header", ["127.0.0.1:8414", "localhost", "LOCALHOST:1", "[::1]:8414", "Console.Example:443", "127.9.9.9"]
)
def test_an_own_name_is_served(header: str) -> None:
    assert is_own_host(header, NAMES)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "localhost.evil.example",
        "[::1",
        "a@localhost.x",
    ],
)
def test_another_name_is_refused(header: str) -> None:
    assert not is_own_host(header, NAMES)


@given(st.text(max_size=60))
def test_no_header_breaks_the_reading(header: str) -> None:
    assert isinstance(host_name(header), str)
    is_from_own_page(header, header, "")


@pytest.mark.parametrize(
    ("origin", "fetch_site", "expected"),
    [
        ("http://127.0.0.1:8414", "same-origin", True),
        ("http://127.0.0.1:8414", "", True),
        ("http://127.0.0.1:8400", "same-site", False),
        ("http://127.0.0.1:8400", "", False),
        ("http://evil.example", "cross-site", False),
        ("null", "", False),
        ("", "", False),
        ("", "same-origin", False),
        ("file://127.0.0.1:8414", "", False),
    ],
)
def test_only_the_own_page_may_post(origin: str, fetch_site: str, expected: bool) -> None:
    assert is_from_own_page("127.0.0.1:8414", origin, fetch_site) is expected
