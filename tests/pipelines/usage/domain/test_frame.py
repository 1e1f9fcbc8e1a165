import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.frame import HEADER, NO_CLAIM, Kind, claimed, decode
from tests.pipelines.usage.frames import PRODUCER, pack, value


def fault_of(content: bytes, kind: Kind = Kind.GENERATION) -> Fault:
    with pytest.raises(BadFrameError) as bad:
        decode(content, kind=kind)
    return bad.value.fault


def test_the_header_is_36_bytes() -> None:
    assert HEADER.size == 36


@pytest.mark.parametrize("kind", list(Kind))
def test_a_frame_tells_its_header_and_body(kind: Kind) -> None:
    content = value(kind, first=7, count=2)
    frame = decode(content, kind=kind)
    assert frame.header.kind is kind
    assert (frame.header.producer_id, frame.header.first_sequence, frame.header.count) == (PRODUCER, 7, 2)
    assert frame.body == content[36:]


def test_the_token_names_kind_producer_sequences_and_content() -> None:
    content = value(first=7, count=2)
    token = decode(content, kind=Kind.GENERATION).token
    assert token == f"2:0123456789abcdef:7:2:{zlib.crc32(content[36:]):08x}"


def test_two_frames_with_the_same_place_and_other_content_have_other_tokens() -> None:
    one, other = (decode(value(input_tokens=n), kind=Kind.GENERATION).token for n in (1, 2))
    assert one != other


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", Fault.HEADER_TRUNCATED),
        (value()[:35], Fault.HEADER_TRUNCATED),
        (pack(2, b"x", count=1, magic=b"CPTX"), Fault.MAGIC_WRONG),
        (pack(2, b"x", count=1, version=2), Fault.HEADER_VERSION_UNKNOWN),
        (pack(1, b"x", count=1), Fault.KIND_WRONG),
        (pack(9, b"x", count=1), Fault.KIND_UNKNOWN),
        (pack(0, b"x", count=1), Fault.KIND_WRONG),
        (pack(2, b"x", count=1, schema_version=2), Fault.SCHEMA_VERSION_UNKNOWN),
        (pack(2, b"x", count=1, schema_version=2, crc=0), Fault.CHECKSUM_WRONG),
        (value()[:-1], Fault.LENGTH_WRONG),
        (value() + b"x", Fault.LENGTH_WRONG),
        (pack(2, b"x", count=1, crc=0), Fault.CHECKSUM_WRONG),
        (pack(2, b"x", count=0), Fault.COUNT_WRONG),
        (pack(2, b"x", count=2**32 - 1), Fault.COUNT_WRONG),
        (pack(2, b"x", count=1, first=0), Fault.SEQUENCE_WRONG),
        (pack(2, b"x", count=2, first=2**64 - 1), Fault.SEQUENCE_WRONG),
    ],
)
def test_each_broken_rule_has_its_fault(content: bytes, fault: Fault) -> None:
    assert fault_of(content) is fault


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_never_a_frame(content: bytes) -> None:
    assert fault_of(content) in Fault


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(position: int, change: int) -> None:
    content = bytearray(value())
    position %= len(content)
    content[position] ^= change
    # Producer and first sequence are in the events too, which validation compares.
    if not 8 <= position < 24 and not 24 <= position < 28:
        fault_of(bytes(content))


def test_another_programs_frame_says_its_version_and_ours() -> None:
    with pytest.raises(BadFrameError) as bad:
        decode(pack(2, b"x", count=1, schema_version=7), kind=Kind.GENERATION)
    assert bad.value.figures == {"version": 7, "known_version": 1}


def test_what_a_torn_frame_claims_is_believed_where_its_length_fits() -> None:
    whole = value(first=7, count=2)
    assert claimed(whole[:-1] + bytes([whole[-1] ^ 1])) == (PRODUCER, 7, 2)
    assert claimed(whole[:-1]) == NO_CLAIM
    assert claimed(b"a sentence that somebody wrote into the wrong topic") == NO_CLAIM


@given(st.binary(max_size=200))
def test_arbitrary_bytes_claim_nothing(content: bytes) -> None:
    assert claimed(content) == NO_CLAIM
