import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.credentials import Credentials, Writer, credentials_of, is_writer
from deploy.local.clickhouse.domain.errors import StoreError

WRITER = Writer("comptoir_writer", "a-password-made-up")


def _basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_headers_come_before_basic_and_basic_before_the_url() -> None:
    url = {"user": "url", "password": "3"}
    basic = _basic("basic:2:2")
    own = {"x-clickhouse-user": "own", "x-clickhouse-key": "1"}
    assert credentials_of({**own, **basic}, url) == Credentials("own", "1")
    assert credentials_of(basic, url) == Credentials("basic", "2:2")
    assert credentials_of({}, url) == Credentials("url", "3")
    assert credentials_of({}, {}) == Credentials("default", "")


def test_the_writer_is_known_by_name_and_password_only_together() -> None:
    assert is_writer(Credentials("comptoir_writer", "a-password-made-up"), WRITER)
    assert not is_writer(Credentials("default", ""), WRITER)


def test_the_reader_has_no_password_so_any_is_right_as_jdbc_s_null_is() -> None:
    assert not is_writer(Credentials("default", "null"), WRITER)


@given(st.text(), st.text())
def test_everybody_else_is_refused(user: str, password: str) -> None:
    if user == "default" or (user, password) == (WRITER.name, WRITER.password):
        return
    with pytest.raises(StoreError) as raised:
        is_writer(Credentials(user, password), WRITER)
    assert raised.value.code == 516


@pytest.mark.parametrize(
    "header", ["Bearer x", "Basic !!!", "Basic", "Digest a=b", "Basic " + "YWJj", "Basic //8="]
)
def test_a_login_that_cannot_be_read_is_refused_and_not_taken_for_the_reader(header: str) -> None:
    with pytest.raises(StoreError) as raised:
        is_writer(credentials_of({"authorization": header}, {}), WRITER)
    assert raised.value.code == 516


def test_no_password_shows_in_what_is_printed() -> None:
    assert "made-up" not in repr(WRITER)
    assert "secret" not in repr(Credentials("a", "secret"))
