import httpx
import pytest

from services.local.clickhouse.domain.errors import StoreError
from services.local.clickhouse.wire.forms import form_fields, is_form, url_fields


def test_the_fields_of_a_form_are_read() -> None:
    fields = {"query": (None, "SELECT 'é\r\n--'"), "param_a": (None, "")}
    request = httpx.Request("POST", "http://localhost", files=fields)
    content_type = request.headers["content-type"]
    assert is_form(content_type)
    assert form_fields(content_type, request.read()) == [("query", "SELECT 'é\r\n--'"), ("param_a", "")]


def test_a_file_is_refused_with_a_reason() -> None:
    request = httpx.Request("POST", "http://localhost", files={"table": ("t.tsv", b"1\n")})
    with pytest.raises(StoreError) as raised:
        form_fields(request.headers["content-type"], request.read())
    assert raised.value.code == 48


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=é", "text/plain"]
)
def test_a_broken_form_has_no_fields(content_type: str) -> None:
    assert form_fields(content_type, b"--x\r\n\r\n") == []


def test_the_parameters_of_a_url_keep_their_signs() -> None:
    assert url_fields(b"query=SELECT+1&param_a=%C3%A9%00+%2B&empty=") == [
        ("query", "SELECT 1"),
        ("param_a", "é\0 +"),
        ("empty", ""),
    ]
