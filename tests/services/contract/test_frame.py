"""What one side seals the other reads as the same, byte by byte: the vectors hold both against a file."""

import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contract.events import EVENT_SCHEMA_VERSION, Kind
from services.contract.frame import (
    HEADER,
    NO_CLAIM,
    Frame,
    FrameError,
    FrameFault,
    claimed,
    decode,
    seal,
    with_length,
)
from services.runtime.event_messages import FRAME_TYPES
from tests.contracts import frames
from tests.pipelines.usage.frames import PRODUCER, pack, value

SHARED: dict[str, list[dict[str, Any]]] = json.loads(frames.FILE.read_text(encoding="utf-8"))
VECTORS = pytest.mark.parametrize(
    "vector", SHARED["frames"], ids=[vector["insert_token"] for vector in SHARED["frames"]]
)
U64 = st.integers(0, 2**64 - 1)


def fault_of(content: bytes, kind: Kind = Kind.GENERATION) -> FrameFault:
    with pytest.raises(FrameError) as bad:
        decode(content, kind=kind)
    return bad.value.fault


def test_the_header_is_36_bytes() -> None:
    assert HEADER.size == 36


@pytest.mark.parametrize("kind", list(Kind))
def test_a_frame_tells_its_header_and_body(kind: Kind) -> None:
    content = value(kind, first=7, count=2)
    frame = decode(content, kind=kind)
    assert frame.kind is kind
    assert (frame.producer_id, frame.first_sequence, frame.count) == (PRODUCER, 7, 2)
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
        (b"", FrameFault.HEADER_TRUNCATED),
        (value()[:35], FrameFault.HEADER_TRUNCATED),
        (pack(2, b"x", count=1, magic=b"CPTX"), FrameFault.MAGIC_WRONG),
        (pack(2, b"x", count=1, version=2), FrameFault.HEADER_VERSION_UNKNOWN),
        (pack(1, b"x", count=1), FrameFault.KIND_WRONG),
        (pack(9, b"x", count=1), FrameFault.KIND_UNKNOWN),
        (pack(0, b"x", count=1), FrameFault.KIND_WRONG),
        (pack(2, b"x", count=1, schema_version=2), FrameFault.SCHEMA_VERSION_UNKNOWN),
        (pack(2, b"x", count=1, schema_version=2, crc=0), FrameFault.CHECKSUM_WRONG),
        (value()[:-1], FrameFault.LENGTH_WRONG),
        (value() + b"x", FrameFault.LENGTH_WRONG),
        (pack(2, b"x", count=1, crc=0), FrameFault.CHECKSUM_WRONG),
        (pack(2, b"x", count=0), FrameFault.COUNT_WRONG),
        (pack(2, b"x", count=2**32 - 1), FrameFault.COUNT_WRONG),
        (pack(2, b"x", count=1, first=0), FrameFault.SEQUENCE_WRONG),
        (pack(2, b"x", count=2, first=2**64 - 1), FrameFault.SEQUENCE_WRONG),
    ],
)
def test_each_broken_rule_has_its_fault(content: bytes, fault: FrameFault) -> None:
    assert fault_of(content) is fault


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_never_a_frame(content: bytes) -> None:
    assert fault_of(content) in FrameFault


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_noticed(position: int, change: int) -> None:
    content = bytearray(value())
    position %= len(content)
    content[position] ^= change
    # Producer and first sequence are in the events too, which validation compares.
    if not 8 <= position < 24 and not 24 <= position < 28:
        fault_of(bytes(content))


def test_another_programs_frame_says_its_version_and_ours() -> None:
    with pytest.raises(FrameError) as bad:
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


def test_every_kind_has_a_vector() -> None:
    assert [vector["kind"] for vector in SHARED["frames"]] == list(Kind)


def test_the_vectors_are_what_this_code_writes() -> None:
    assert frames.document() == SHARED


@VECTORS
def test_the_vectors_are_what_this_code_reads(vector: dict[str, Any]) -> None:
    frame = decode(bytes.fromhex(vector["value"]), kind=Kind(vector["kind"]))
    assert f"{frame.producer_id:016x}" == vector["producer_id"]
    assert (frame.first_sequence, frame.count) == (vector["first_sequence"], vector["count"])
    assert f"{frame.crc:08x}" == vector["crc"]
    assert frame.token == vector["insert_token"]
    assert frame.value.hex() == vector["value"]


@pytest.mark.parametrize("vector", SHARED["broken"], ids=lambda vector: vector["rule"])
def test_a_broken_vector_is_no_frame(vector: dict[str, str]) -> None:
    fault_of(bytes.fromhex(vector["value"]))


@pytest.mark.parametrize("kind", list(Kind))
def test_a_body_is_canonical_protobuf(kind: Kind) -> None:
    frame = frames.frame_of(kind, count=200)
    message = FRAME_TYPES[kind].FromString(frame.body)
    assert message.SerializeToString() == frame.body
    sequences = [event.producer_sequence for event in message.events]
    assert sequences == list(range(frame.first_sequence, frame.last_sequence + 1))


@given(
    st.sampled_from(Kind),
    U64,
    st.integers(1, 2**64 - 5),
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
)
def test_a_sealed_frame_reads_back_whole(
    kind: Kind, producer_id: int, first: int, events: list[bytes]
) -> None:
    frame = seal(kind, producer_id, first, events)
    assert decode(frame.value, kind=kind) == frame
    assert frame == Frame(
        kind, EVENT_SCHEMA_VERSION, producer_id, first, len(events), zlib.crc32(frame.body), frame.body
    )
    assert len(frame.value) == frame.size_bytes


@given(st.binary(max_size=40_000))
def test_a_length_stands_before_the_content_as_protobuf_writes_it(content: bytes) -> None:
    prefixed = with_length(content)
    length = shift = position = 0
    while True:
        length |= (prefixed[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if prefixed[position - 1] < 0x80:
            break
    assert (length, prefixed[position:]) == (len(content), content)
