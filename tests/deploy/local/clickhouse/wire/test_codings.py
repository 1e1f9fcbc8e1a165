import contextlib
import gzip
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.wire.codings import NATIVE, choose_coding, decode, encode, encoder_of
from deploy.local.clickhouse.wire.native_blocks import decode_blocks, encode_blocks

CODINGS = ["lz4", "zstd", "gzip", "deflate", "br", ""]
PLENTY = 1_000_000


@pytest.mark.parametrize("coding", CODINGS)
@given(body=st.binary(max_size=2000))
def test_what_is_encoded_decodes_to_itself(coding: str, body: bytes) -> None:
    assert decode(encode(body, coding), coding, PLENTY) == body


@pytest.mark.parametrize("coding", CODINGS)
@given(pieces=st.lists(st.binary(min_size=1, max_size=300), max_size=8))
def test_pieces_decode_to_the_whole(coding: str, pieces: list[bytes]) -> None:
    encoder = encoder_of(coding)
    sent = b"".join(encoder.encode(piece) for piece in pieces) + encoder.finish()
    assert decode(sent, coding, PLENTY) == b"".join(pieces)


@pytest.mark.parametrize("coding", ["lz4", "zstd", "gzip", "deflate", "br"])
def test_a_body_that_would_grow_too_large_is_refused(coding: str) -> None:
    bomb = encode(bytes(PLENTY), coding)
    with pytest.raises(StoreError) as raised:
        decode(bomb, coding, PLENTY - 1)
    assert raised.value.code == 131


@pytest.mark.parametrize("coding", ["lz4", "zstd", "gzip", "deflate", "br", "unknown"])
@given(body=st.binary(min_size=1, max_size=100))
def test_a_body_of_another_coding_is_refused_or_read_but_never_breaks(coding: str, body: bytes) -> None:
    with contextlib.suppress(StoreError):
        decode(body, coding, PLENTY)


def test_codings_of_the_clients_are_understood() -> None:
    assert decode(gzip.compress(b"x"), "gzip", 10) == b"x"
    assert decode(zlib.compress(b"x"), "deflate", 10) == b"x"
    frames = bytes(cramjam.lz4.compress(b"ab")) + bytes(cramjam.lz4.compress(b"cd"))
    assert decode(frames, "lz4", 10) == b"abcd"


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("lz4,zstd,br,gzip,deflate", "lz4"),
        ("gzip, deflate, br", "gzip"),
        ("zstd;q=0, gzip;q=0.5", "gzip"),
        ("identity", ""),
        ("", ""),
        ("GZIP", "gzip"),
    ],
)
def test_the_quickest_accepted_coding_is_chosen(accepted: str, chosen: str) -> None:
    assert choose_coding(accepted) == chosen


@given(st.binary(max_size=3000))
def test_native_blocks_hold_what_was_put_in(body: bytes) -> None:
    assert decode_blocks(encode_blocks(body), PLENTY) == body
    encoder = encoder_of(NATIVE)
    assert decode_blocks(encoder.encode(body) + encoder.encode(body) + encoder.finish(), PLENTY) == body * 2


@given(st.binary(min_size=1, max_size=500), st.data())
def test_a_changed_bit_in_a_native_block_is_seen(body: bytes, data: st.DataObject) -> None:
    blocks = bytearray(encode_blocks(body))
    at = data.draw(st.integers(0, len(blocks) * 8 - 1))
    blocks[at // 8] ^= 1 << at % 8
    with pytest.raises(StoreError):
        decode_blocks(bytes(blocks), PLENTY)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader_of_native_blocks(body: bytes) -> None:
    with contextlib.suppress(StoreError):
        decode_blocks(body, 1000)
