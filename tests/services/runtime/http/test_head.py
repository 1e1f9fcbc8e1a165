import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.http.bounds import Refusal, RefusedError
from services.runtime.http.head import Head, end_of_head, parse_head

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20).map(str.encode)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).map(str.encode)


def parsed(*lines: bytes) -> Head:
    return parse_head(b"\r\n".join([*lines, b"", b""]), max_fields=128)


def refusal(head: bytes) -> Refusal:
    with pytest.raises(RefusedError) as raised:
        parse_head(head, max_fields=8)
    return raised.value.refusal


@given(st.lists(st.tuples(TOKEN.map(lambda name: b"x-" + name), VALUE), max_size=20))
def test_fields_are_read_as_they_were_written(fields: list[tuple[bytes, bytes]]) -> None:
    head = parsed(b"GET /a HTTP/1.1", *[name.title() + b":  " + value for name, value in fields])
    assert head.fields == fields


def test_a_request_line_is_taken_apart() -> None:
    head = parsed(b"POST /v1/chat%20x//y?a=b&c=%20 HTTP/1.1", b"Host: x", b"Content-Length: 12")
    assert (head.method, head.path, head.raw_path) == ("POST", "/v1/chat x//y", b"/v1/chat%20x//y")
    assert (head.query, head.http_version, head.content_length) == (b"a=b&c=%20", "1.1", 12)


def test_the_form_of_a_target_that_proxies_send_is_read() -> None:
    head = parsed(b"GET http://api.example/v1/models?x HTTP/1.1")
    assert (head.path, head.query) == ("/v1/models", b"x")
    assert parsed(b"OPTIONS * HTTP/1.1").path == "*"


@pytest.mark.parametrize(
    ("version", "connection", "keeps_alive"),
    [
        (b"1.1", None, True),
        (b"1.1", b"close", False),
        (b"1.1", b"Upgrade, HTTP2-Settings", True),
        (b"1.1", b"keep-alive, Close", False),
        (b"1.0", None, False),
        (b"1.0", b"Keep-Alive", True),
    ],
)
def test_how_a_connection_goes_on(version: bytes, connection: bytes | None, keeps_alive: bool) -> None:
    lines = [] if connection is None else [b"connection: " + connection]
    assert parsed(b"GET / HTTP/" + version, *lines).keeps_alive is keeps_alive


def test_an_offer_to_upgrade_changes_nothing() -> None:
    offer = [b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABk"]
    plain = parsed(b"POST / HTTP/1.1", b"content-length: 5")
    assert parsed(b"POST / HTTP/1.1", *offer, b"content-length: 5").content_length == plain.content_length


@pytest.mark.parametrize(
    "lines",
    [
        # The end of the body would be told twice, or not at all.
        [b"POST / HTTP/1.1", b"content-length: 3", b"transfer-encoding: chunked"],
        [b"POST / HTTP/1.1", b"transfer-encoding: chunked", b"content-length: 3"],
        [b"POST / HTTP/1.1", b"content-length: 3", b"content-length: 3"],
        [b"POST / HTTP/1.1", b"content-length: 3, 3"],
        [b"POST / HTTP/1.1", b"content-length: +3"],
        [b"POST / HTTP/1.1", b"content-length: 0x3"],
        [b"POST / HTTP/1.1", b"content-length: 3_0"],
        [b"POST / HTTP/1.1", b"content-length:"],
        [b"POST / HTTP/1.1", b"content-length: " + b"9" * 16],
        [b"POST / HTTP/1.1", b"content-length: " + b"9" * 40],
        [b"POST / HTTP/1.1", b"transfer-encoding: chunked, identity"],
        [b"POST / HTTP/1.1", b"transfer-encoding: gzip, chunked"],
        [b"POST / HTTP/1.1", b"transfer-encoding: identity"],
        [b"POST / HTTP/1.1", b"transfer-encoding: xchunked"],
        [b"POST / HTTP/1.1", b"transfer-encoding: \x0bchunked"],
        [b"POST / HTTP/1.1", b"transfer-encoding: chunked", b"transfer-encoding: chunked"],
        [b"POST / HTTP/1.0", b"transfer-encoding: chunked"],
        # A field that another reader would read otherwise.
        [b"GET / HTTP/1.1", b"a: b", b" folded: c"],
        [b"GET / HTTP/1.1", b"a: b", b"\tfolded"],
        [b"GET / HTTP/1.1", b" a: b"],
        [b"GET / HTTP/1.1", b"a : b"],
        [b"GET / HTTP/1.1", b": b"],
        [b"GET / HTTP/1.1", b"ab"],
        [b"GET / HTTP/1.1", b"a: b\x00c"],
        [b"GET / HTTP/1.1", b"a\x00: b"],
        [b"GET / HTTP/1.1", b"a: b\rc: d"],
        [b"GET / HTTP/1.1", b"a: b\nc: d"],
        [b"GET / HTTP/1.1", b"host: a", b"host: b"],
        # No request line.
        [b"GET /\x00 HTTP/1.1"],
        [b"GET /\xe9 HTTP/1.1"],
        [b"GET  / HTTP/1.1"],
        [b"GET / HTTP/1.1 "],
        [b"GET\t/ HTTP/1.1"],
        [b"get / HTTP/1.1"],
        [b"GET /"],
        [b"GET models HTTP/1.1"],
        [b"CONNECT a:443 HTTP/1.1"],
        [b"GET / RTSP/1.0"],
        [b"FOO / HTTP/1.1"],
    ],
)
def test_what_two_servers_could_read_differently_is_refused(lines: list[bytes]) -> None:
    assert refusal(b"\r\n".join([*lines, b"", b""])) is Refusal.MALFORMED


def test_bare_line_feeds_are_refused() -> None:
    head = b"GET / HTTP/1.1\nhost: x\n\n"
    assert end_of_head(bytearray(head), 0, 8192) == len(head)
    assert refusal(head) is Refusal.MALFORMED
    assert refusal(b"GET / HTTP/1.1\r\na: b\n\r\n") is Refusal.MALFORMED
    assert refusal(b"GET / HTTP/1.1\r\na: b\r\n\n") is Refusal.MALFORMED


@pytest.mark.parametrize("line", [b"PRI * HTTP/2.0", b"GET / HTTP/2.0", b"GET / HTTP/0.9", b"GET / HTTP/3.0"])
def test_other_versions_are_named_as_such(line: bytes) -> None:
    assert refusal(line + b"\r\n\r\n") is Refusal.VERSION_UNSUPPORTED


def test_more_fields_than_anybody_needs_are_too_large() -> None:
    assert refusal(b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 9 + b"\r\n") is Refusal.HEAD_TOO_LARGE


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_fail_in_another_way(head: bytes) -> None:
    with contextlib.suppress(RefusedError):
        parse_head(head + b"\r\n\r\n", max_fields=8)


@given(st.binary(max_size=60), st.binary(max_size=20), st.data())
def test_the_end_is_found_however_the_bytes_come(start: bytes, rest: bytes, data: st.DataObject) -> None:
    whole = bytearray(start + b"\r\n\r\n" + rest)
    found, scanned = 0, 0
    for size in [*sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=6))), len(whole)]:
        found = end_of_head(whole[:size], scanned, size)
        if found:
            break
        scanned = size
    ends = [whole.find(end) + len(end) for end in (b"\n\r\n", b"\n\n") if end in whole]
    assert found in ends
    assert found == min(ends) or whole[:found].endswith(b"\n\n")
