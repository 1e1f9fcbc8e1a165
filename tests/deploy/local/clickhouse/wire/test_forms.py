import httpx
import pytest

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.wire.forms import MAX_FIELDS, form_fields, is_form, url_fields


async def test_the_fields_of_a_form_are_read() -> None:
    fields = {"query": (None, "SELECT 'é\r\n--'"), "param_a": (None, "")}
    request = httpx.Request("POST", "http://localhost", files=fields)
    content_type = request.headers["content-type"]
    assert is_form(content_type)
    assert await form_fields(content_type, request.read()) == [("query", "SELECT 'é\r\n--'"), ("param_a", "")]


async def test_a_file_is_refused_with_a_reason() -> None:
    request = httpx.Request("POST", "http://localhost", files={"table": ("t.tsv", b"1\n")})
    with pytest.raises(StoreError) as raised:
        await form_fields(request.headers["content-type"], request.read())
    assert raised.value.code == 48


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=é", "multipart/form-data; boundary=y"],
)
async def test_a_broken_form_is_refused_and_not_repeated(content_type: str) -> None:
    with pytest.raises(StoreError) as raised:
        await form_fields(content_type, b"--x\r\n\r\n")
    assert raised.value.code == 36
    assert "x" not in raised.value.message.split("form")[0].replace("Exception", "")


async def test_no_form_and_no_url_has_more_than_so_many_fields() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    content_type = "multipart/form-data; boundary=b"
    assert len(await form_fields(content_type, part * MAX_FIELDS + b"--b--\r\n")) == MAX_FIELDS
    with pytest.raises(StoreError) as raised:
        await form_fields(content_type, part * 30_000 + b"--b--\r\n")
    assert (raised.value.code, str(MAX_FIELDS) in raised.value.message) == (36, True)
    assert len(url_fields(b"a=1&" * (MAX_FIELDS - 1) + b"a=1")) == MAX_FIELDS
    with pytest.raises(StoreError) as raised:
        url_fields(b"a=1&" * MAX_FIELDS + b"a=1")
    assert (raised.value.code, str(MAX_FIELDS) in raised.value.message) == (36, True)


def test_the_parameters_of_a_url_keep_their_signs() -> None:
    assert url_fields(b"query=SELECT+1&param_a=%C3%A9%00+%2B&empty=") == [
        ("query", "SELECT 1"),
        ("param_a", "é\0 +"),
        ("empty", ""),
    ]
