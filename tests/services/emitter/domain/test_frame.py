import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.emitter.domain.frame import HEADER, TOPICS, Frame, FrameError, Kind, decode, seal
from tests.contracts import frames

U64 = st.integers(0, 2**64 - 1)


def test_a_header_has_36_bytes() -> None:
    assert HEADER.size == 36


def test_the_shared_vectors_are_what_this_code_writes() -> None:
    assert json.loads(frames.FILE.read_text()) == frames.document()


@pytest.mark.parametrize(
    "vector", json.loads(frames.FILE.read_text())["frames"], ids=lambda v: Kind(v["kind"]).name
)
def test_a_shared_vector_reads_as_it_says(vector: dict[str, object]) -> None:
    frame = decode(bytes.fromhex(str(vector["value"])))
    assert frame.kind == vector["kind"]
    assert f"{frame.producer_id:016x}" == vector["producer_id"]
    assert frame.first_sequence == vector["first_sequence"]
    assert frame.count == vector["count"]
    assert f"{frame.crc:08x}" == vector["crc"]
    assert frame.insert_token == vector["insert_token"]


@pytest.mark.parametrize("vector", json.loads(frames.FILE.read_text())["broken"], ids=lambda v: v["rule"])
def test_a_broken_vector_is_no_frame(vector: dict[str, str]) -> None:
    with pytest.raises(FrameError):
        decode(bytes.fromhex(vector["value"]))


@pytest.mark.parametrize("kind", Kind)
def test_a_body_is_canonical_protobuf(kind: Kind) -> None:
    frame = frames.frame_of(kind, count=200)
    _, body = frames.MESSAGES[kind]
    message = body.FromString(frame.body)
    assert message.SerializeToString() == frame.body
    events = [getattr(event, "producer_sequence") for event in getattr(message, "events")]  # noqa: B009 - any kind
    assert events == list(range(frame.first_sequence, frame.last_sequence + 1))


@given(
    st.sampled_from(Kind),
    U64,
    st.integers(1, 2**64 - 1),
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
)
def test_a_sealed_frame_reads_back_whole(
    kind: Kind, producer_id: int, first: int, events: list[bytes]
) -> None:
    frame = seal(kind, producer_id, first, events)
    assert decode(frame.value) == frame
    assert frame.crc == zlib.crc32(frame.body)
    assert seal(kind, producer_id, first, events).value == frame.value


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_no_frame(value: bytes) -> None:
    with pytest.raises(FrameError):
        decode(value)


@given(st.integers(0, 8 * 200), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed_except_in_the_producer_and_the_sequence(
    place: int, change: int
) -> None:
    value = bytearray(frames.frame_of(Kind.GENERATION).value)
    place %= len(value)
    value[place] ^= change
    try:
        frame = decode(bytes(value))
    except FrameError:
        return
    # The checksum covers the body; identity and count are held against the events by the reader.
    assert 5 <= place < 28
    assert frame.value == value


def test_its_identity_names_kind_producer_sequence_count_and_checksum() -> None:
    frame = Frame(Kind.ADMISSION, 0xAB, 7, 3, 0x1F, b"")
    assert frame.insert_token == "1:00000000000000ab:7:3:0000001f"
    assert frame.last_sequence == 9


def test_every_kind_has_a_topic_of_its_own() -> None:
    assert set(TOPICS) == set(Kind)
    assert len(set(TOPICS.values())) == len(Kind)
