"""Native results in the framing of a protocol version: the same columns, told apart without their values."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.wire.native_columns import parts_of
from deploy.local.clickhouse.wire.native_framing import FramedStream, framed

INFO = bytes.fromhex("010002ffffffff00")
# One block: `a` UInt8 of 7 and `b` String of "x".
BLOCK = b"\x02\x01" + b"\x01a\x05UInt8\x07" + b"\x01b\x06String\x01x"


def test_a_new_client_gets_block_information_and_a_mark_per_column() -> None:
    marked = b"\x02\x01" + b"\x01a\x05UInt8\x00\x07" + b"\x01b\x06String\x00\x01x"
    assert framed(BLOCK + BLOCK, 54454) == INFO + marked + INFO + marked


def test_an_older_client_gets_block_information_only_and_a_file_nothing() -> None:
    assert framed(BLOCK, 54453) == INFO + BLOCK
    assert framed(BLOCK, 0) == BLOCK
    assert framed(b"", 54454) == b""


@given(cut=st.integers(1, len(BLOCK) - 1))
def test_a_result_that_is_cut_off_is_an_error_of_the_store(cut: int) -> None:
    with pytest.raises(StoreError):
        framed(BLOCK[:cut], 54454)


class Pieces:
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.is_closed = False

    def fetch(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.is_closed = True


@given(cuts=st.lists(st.integers(1, 3 * len(BLOCK) - 1), max_size=8))
def test_a_result_in_pieces_is_framed_as_a_whole_one_wherever_it_is_cut(cuts: list[int]) -> None:
    body, at = BLOCK * 3, [0, *sorted(set(cuts)), 3 * len(BLOCK)]
    pieces = Pieces([body[start:end] for start, end in itertools.pairwise(at)])
    stream = FramedStream(pieces, 54454)
    assert b"".join(iter(stream.fetch, b"")) == framed(body, 54454)
    stream.close()
    assert pieces.is_closed


def test_a_result_in_pieces_that_ends_within_a_block_is_an_error() -> None:
    stream = FramedStream(Pieces([BLOCK, BLOCK[:-1]]), 54454)
    assert stream.fetch()
    with pytest.raises(StoreError):
        stream.fetch()


def test_a_type_that_is_not_known_is_refused_with_a_way_out() -> None:
    block = b"\x01\x01\x01a\x07Dynamic\x00"
    with pytest.raises(StoreError) as refused:
        framed(block, 54454)
    assert "toString" in refused.value.message


@given(texts=st.lists(st.binary(max_size=300), max_size=5))
def test_texts_of_any_length_are_passed_over(texts: list[bytes]) -> None:
    def number(value: int) -> bytes:
        return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])

    column = b"".join(number(len(text)) + text for text in texts)
    block = b"\x01" + number(len(texts)) + b"\x01a\x06String" + column
    expected = INFO + b"\x01" + number(len(texts)) + b"\x01a\x06String\x00" + column
    assert framed(block, 54454) == expected


def test_low_cardinality_arrays_and_nulls_are_passed_over() -> None:
    word = struct.Struct("<Q").pack
    low = word(1) + word(0x600) + word(2) + b"\x00\x01x" + word(3) + b"\x00\x01\x01"
    arrays = word(1) + word(1) + word(3) + b"\x01\x00\x00" + b"\x01\x02\x03"
    block = (
        b"\x02\x03"
        b"\x01l\x20LowCardinality(Nullable(String))" + low + b"\x01n\x16Array(Nullable(UInt8))" + arrays
    )
    assert len(framed(block, 54454)) == len(INFO) + len(block) + 2


@pytest.mark.parametrize(
    ("type_name", "parts"),
    [
        ("UInt8", ("UInt8", [])),
        ("Enum8('a,)' = 1, 'it\\'s' = 2)", ("Enum8", ["'a,)' = 1", "'it\\'s' = 2"])),
        ("Map(String, Array(UInt8))", ("Map", ["String", "Array(UInt8)"])),
        ("Tuple(`b, c` Nullable(String))", ("Tuple", ["`b, c` Nullable(String)"])),
        ("Point", ("Tuple", ["Float64", "Float64"])),
        ("Tuple()", ("Tuple", [])),
    ],
)
def test_types_are_parted_at_their_own_commas(type_name: str, parts: tuple[str, list[str]]) -> None:
    assert parts_of(type_name) == parts
