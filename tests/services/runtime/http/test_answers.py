import pytest

from services.runtime.http.answers import AnswerWriter
from services.runtime.http.head import Head, parse_head

DATE = b"Wed, 25 Nov 2026 12:00:00 GMT"


def head(*lines: bytes) -> Head:
    return parse_head(b"\r\n".join([*lines, b"", b""]), max_fields=8)


NEW = head(b"GET / HTTP/1.1")
OLD = head(b"GET / HTTP/1.0")
OLD_KEPT = head(b"GET / HTTP/1.0", b"connection: keep-alive")


def begun(
    request: Head | None, status: int = 200, *fields: tuple[bytes, bytes]
) -> tuple[bytes, AnswerWriter]:
    writer = AnswerWriter(request)
    return writer.begin(status, fields, date=DATE), writer


def test_a_body_without_a_length_comes_in_chunks() -> None:
    first, writer = begun(NEW, 200, (b"content-type", b"text/plain"))
    assert first == (
        b"HTTP/1.1 200 OK\r\ndate: Wed, 25 Nov 2026 12:00:00 GMT\r\n"
        b"content-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    assert writer.part(b"hello world", is_last=False) == b"b\r\nhello world\r\n"
    assert writer.part(b"", is_last=False) == b""
    assert writer.part(b"!", is_last=True) == b"1\r\n!\r\n0\r\n\r\n"
    assert writer.keeps_alive


def test_a_client_of_http_1_0_gets_a_body_that_ends_with_the_connection() -> None:
    for request in (OLD, OLD_KEPT):
        first, writer = begun(request)
        assert b"transfer-encoding" not in first
        assert b"connection: close\r\n" in first
        assert writer.part(b"hello", is_last=False) == b"hello"
        assert writer.part(b"", is_last=True) == b""
        assert not writer.keeps_alive


def test_a_client_of_http_1_0_keeps_its_connection_only_if_it_asks() -> None:
    length = (b"content-length", b"2")
    first, writer = begun(OLD_KEPT, 200, length)
    assert b"connection: keep-alive\r\n" in first
    assert writer.keeps_alive
    first, writer = begun(OLD, 200, length)
    assert b"connection: close\r\n" in first
    assert not writer.keeps_alive


def test_an_application_may_end_the_connection() -> None:
    first, writer = begun(NEW, 200, (b"Connection", b"Close"), (b"content-length", b"0"))
    assert first.count(b"onnection") == 1
    assert not writer.keeps_alive


@pytest.mark.parametrize("status", [200, 404])
def test_head_is_answered_without_a_body(status: int) -> None:
    first, writer = begun(head(b"HEAD / HTTP/1.1"), status, (b"content-length", b"5"))
    assert b"content-length: 5\r\n" in first
    assert writer.part(b"hello", is_last=True) == b""
    assert writer.keeps_alive


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_that_have_no_body_have_none(status: int) -> None:
    first, writer = begun(NEW, status)
    assert b"transfer-encoding" not in first
    assert writer.part(b"x", is_last=True) == b""
    assert writer.keeps_alive


def test_a_body_that_is_not_as_long_as_its_length_is_a_defect() -> None:
    for before, last in ((b"", b"hello!"), (b"", b"hell"), (b"he", b"llo!")):
        _, writer = begun(NEW, 200, (b"content-length", b"5"))
        writer.part(before, is_last=False)
        with pytest.raises(ValueError, match="content-length"):
            writer.part(last, is_last=True)


@pytest.mark.parametrize(
    "field",
    [
        (b"a", b"b\r\nset-cookie: c"),
        (b"a", b"b\n"),
        (b"a", b"\x00"),
        (b"a b", b"c"),
        (b"a\r\nb", b"c"),
        (b"a:", b"c"),
    ],
)
def test_no_field_of_an_answer_holds_a_line_end(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="header field"):
        begun(NEW, 200, field)
