import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.emitter.domain.frame import HEADER, TOPICS, Kind, seal
from tests.contracts import frames

U64 = st.integers(0, 2**64 - 1)


def test_a_header_has_36_bytes() -> None:
    assert HEADER.size == 36


def test_the_shared_vectors_are_what_this_code_writes() -> None:
    assert json.loads(frames.FILE.read_text()) == frames.document()


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
    st.integers(1, 2**64 - 5),
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
)
def test_a_sealed_frame_reads_back_whole(
    kind: Kind, producer_id: int, first: int, events: list[bytes]
) -> None:
    frame = seal(kind, producer_id, first, events)
    assert frames.read(frame.value) == frame
    assert frame.crc == zlib.crc32(frame.body)
    assert seal(kind, producer_id, first, events).value == frame.value


def test_every_kind_has_a_topic_of_its_own() -> None:
    assert set(TOPICS) == set(Kind)
    assert len(set(TOPICS.values())) == len(Kind)
