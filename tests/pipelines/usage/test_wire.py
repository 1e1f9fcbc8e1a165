import pytest
from comptoir.usage.v1 import usage_pb2
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage import wire
from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.frame import EventKey, decode
from pipelines.usage.domain.validation import Bounds
from services.contract.events import Kind
from services.runtime.event_messages import EVENT_TYPES
from tests.pipelines.usage.frames import body, event, pack, value


def fault_of(content: bytes) -> Fault:
    with pytest.raises(BadFrameError) as bad:
        wire.parse(decode(pack(Kind.GENERATION, content, count=1), kind=Kind.GENERATION))
    return bad.value.fault


def test_no_event_has_a_field_that_could_hold_text() -> None:
    allowed = {
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_ENUM,
    }
    for kind in Kind:
        assert {field.type for field in EVENT_TYPES[kind].DESCRIPTOR.fields} <= allowed


@pytest.mark.parametrize("kind", list(Kind))
def test_a_good_frame_is_parsed_into_columns(kind: Kind) -> None:
    columns = wire.parse(decode(value(kind, first=5, count=3), kind=kind))
    assert columns["producer_sequence"] == [5, 6, 7]
    assert set(wire.BOUNDS[kind]) <= set(columns)


def test_bytes_that_are_no_protobuf_are_unreadable() -> None:
    assert fault_of(b"hello, is anybody there") is Fault.BODY_UNREADABLE


def test_text_in_an_unknown_field_is_not_canonical_wherever_it_stands() -> None:
    hidden = bytes([0xFA, 0x07, 5]) + b"fever"  # field 127, length-delimited
    good = event(Kind.GENERATION, 1).SerializeToString(deterministic=True)
    for inner in (good + hidden, hidden + good):
        assert fault_of(bytes([0x0A, len(inner)]) + inner) is Fault.BODY_NOT_CANONICAL
    frame = body(Kind.GENERATION, [event(Kind.GENERATION, 1)])
    for outer in (frame + hidden, hidden + frame):
        assert fault_of(outer) is Fault.BODY_NOT_CANONICAL


@pytest.mark.parametrize(
    "field", [bytes([0xF8, 0x07, 5]), bytes([0xF9, 0x07, *range(8)])], ids=["number", "fixed64"]
)
def test_a_number_in_an_unknown_field_is_a_newer_programs(field: bytes) -> None:
    good = event(Kind.GENERATION, 1).SerializeToString(deterministic=True)
    inner = good + field
    assert fault_of(bytes([0x0A, len(inner)]) + inner) is Fault.FIELD_UNKNOWN
    text = bytes([0xFA, 0x07, 5]) + b"fever"
    assert fault_of(bytes([0x0A, len(inner)]) + inner + text) is Fault.BODY_NOT_CANONICAL


def test_a_number_that_is_written_longer_than_needed_is_not_canonical() -> None:
    good = event(Kind.GENERATION, 1, replica=1).SerializeToString(deterministic=True)
    longer = good.replace(bytes([0xA8, 0x01, 0x01]), bytes([0xA8, 0x01, 0x81, 0x00]))
    assert longer != good
    assert fault_of(bytes([0x0A, len(longer)]) + longer) is Fault.BODY_NOT_CANONICAL


def test_the_rules_of_the_schema_become_bounds() -> None:
    bounds = wire.BOUNDS[Kind.GENERATION]
    assert bounds["region"] == Bounds(1, 65535)
    assert bounds["priority"] == Bounds(0, 255)
    assert bounds["outcome"].members == frozenset(range(1, 10))
    assert bounds["started_at_microseconds"].minimum == 1_600_000_000_000_000
    assert wire.BOUNDS[Kind.EDGE_REQUEST]["endpoint"].members == frozenset(usage_pb2.Endpoint.values())


def test_the_schema_for_the_store_names_every_field_with_its_number() -> None:
    schema = wire.store_schema(Kind.GENERATION)
    assert schema.startswith('syntax = "proto3"; message Event { fixed64 event_id_high = 1; ')
    assert " int32 outcome = 18;" in schema
    assert schema.count("=") == len(usage_pb2.Generation.DESCRIPTOR.fields) + 1


@given(st.integers(1, 12), st.sets(st.integers(1, 12)), st.booleans())
def test_a_frame_without_what_is_stored_holds_exactly_the_rest(
    count: int, sequences: set[int], is_other_id: bool
) -> None:
    frame = decode(value(first=1, count=count), kind=Kind.GENERATION)
    stored = {EventKey(n, 2 if is_other_id else 1, n) for n in sequences}
    left = wire.without(frame, stored)
    expected = [key for key in wire.keys_of(frame) if key not in stored]
    assert (left is frame) == (len(expected) == count)
    assert ([] if left is None else wire.keys_of(left)) == expected
    if left is not None and left is not frame:
        assert left.count == len(expected)
        assert left.token != frame.token
        assert wire.without(frame, stored) == left
