import pytest
from comptoir.emitter.v1 import emitter_pb2
from comptoir.generator.v1 import generator_pb2
from comptoir.usage.v1 import usage_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.contract.events import Kind
from services.runtime.event_messages import EVENT_TYPES

COUNTS = frozenset(
    {
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_ENUM,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
    }
)


def reachable(descriptor: Descriptor, seen: dict[str, Descriptor] | None = None) -> dict[str, Descriptor]:
    """`descriptor` and every message that a field leads to, by name."""
    seen = {} if seen is None else seen
    if descriptor.full_name not in seen:
        seen[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                reachable(field.message_type, seen)
    return seen


def fields_that_could_hold_text(descriptor: Descriptor) -> list[str]:
    """Fields of `descriptor` and what it leads to that are neither counts nor messages."""
    return [
        field.full_name
        for message in reachable(descriptor).values()
        for field in message.fields
        if message.GetOptions().map_entry
        or message.extension_ranges
        or (field.type not in COUNTS and field.type != FieldDescriptor.TYPE_MESSAGE)
    ]


def test_what_the_emitter_takes_can_hold_no_text() -> None:
    assert fields_that_could_hold_text(emitter_pb2.RecordRequest.DESCRIPTOR) == []


@pytest.mark.parametrize("name", sorted(usage_pb2.DESCRIPTOR.message_types_by_name))
def test_what_is_stored_can_hold_no_text(name: str) -> None:
    assert fields_that_could_hold_text(usage_pb2.DESCRIPTOR.message_types_by_name[name]) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_an_event_leads_to_no_other_message(kind: Kind) -> None:
    assert len(reachable(EVENT_TYPES[kind].DESCRIPTOR)) == 1


def test_the_emitter_takes_every_kind_of_event_and_nothing_else() -> None:
    events = {kind.message_name for kind in Kind}
    names = {descriptor.name for descriptor in reachable(emitter_pb2.RecordRequest.DESCRIPTOR).values()}
    assert names == {"RecordRequest", *events}


def test_the_walk_finds_text_where_there_is_some() -> None:
    assert fields_that_could_hold_text(generator_pb2.GenerateRequest.DESCRIPTOR)
