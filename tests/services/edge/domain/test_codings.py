import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.codings import CodingBrokenError, CodingUnsupportedError, decode
from services.kernel.errors import ComptoirError, Reason

MAX_BYTES = 4096


def bare(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


@given(st.binary(max_size=MAX_BYTES))
def test_compressed_bodies_are_what_they_were(data: bytes) -> None:
    for body, codings in (
        (data, []),
        (data, [b"identity"]),
        (gzip.compress(data), [b"gzip"]),
        (gzip.compress(data), [b" X-GZip , identity"]),
        (zlib.compress(data), [b"deflate"]),
    ):
        assert decode(body, codings, max_bytes=MAX_BYTES) == data


def test_the_bare_stream_that_some_clients_send_as_deflate_is_read() -> None:
    assert decode(bare(b'{"model":"tiny-eu"}'), [b"deflate"], max_bytes=MAX_BYTES) == b'{"model":"tiny-eu"}'


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_a_bomb_is_refused_before_it_is_made(compress: object) -> None:
    bomb = compress(bytes(64 * 1024 * 1024), 9)  # type: ignore[operator] # both take a level
    coding = b"gzip" if compress is gzip.compress else b"deflate"
    tracemalloc.start()
    with pytest.raises(ComptoirError) as raised:
        decode(bomb, [coding], max_bytes=1024 * 1024)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raised.value.reason is Reason.REQUEST_TOO_LARGE
    assert raised.value.numbers.limit == 1024 * 1024
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    "codings", [[b"zstd"], [b"br"], [b"gzip, gzip"], [b"gzip", b"deflate"], [b"chunked"], [b"\xff"]]
)
def test_other_codings_are_refused_as_such(codings: list[bytes]) -> None:
    with pytest.raises(CodingUnsupportedError):
        decode(gzip.compress(b"{}", mtime=0), codings, max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        gzip.compress(b"{}", mtime=0)[:-1],
        gzip.compress(b"{}", mtime=0)[:-8] + bytes(8),
        gzip.compress(b"{}", mtime=0) + b"x",
        gzip.compress(b"{}", mtime=0) * 2,
        zlib.compress(b"{}"),
    ],
)
def test_what_is_not_gzip_is_said_to_be_broken(body: bytes) -> None:
    with pytest.raises(CodingBrokenError):
        decode(body, [b"gzip"], max_bytes=MAX_BYTES)


@given(st.binary(max_size=200), st.sampled_from([b"gzip", b"deflate"]))
def test_no_bytes_make_it_fail_in_another_way(body: bytes, coding: bytes) -> None:
    try:
        decode(body, [coding], max_bytes=MAX_BYTES)
    except (CodingBrokenError, ComptoirError):
        return
