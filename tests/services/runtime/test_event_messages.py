"""A kind of event is a row, two messages and a place in the request; what lacks is named, with its file."""

import pytest
from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.usage.v1 import usage_pb2

from services.contract.events import Kind
from services.runtime.event_messages import EVENT_TYPES, FRAME_TYPES, by_kind, count_of, request_of

KINDS = pytest.mark.parametrize("kind", list(Kind))
USAGE = "protos/comptoir/usage/v1/usage.proto"
EMITTER = "protos/comptoir/emitter/v1/emitter.proto"
# What emitter and pipeline set, check or look for in every event.
COMMON = [field.name for field in usage_pb2.Generation.DESCRIPTOR.fields][:17]


@KINDS
def test_a_kind_has_its_messages(kind: Kind) -> None:
    messages = usage_pb2.DESCRIPTOR.message_types_by_name
    assert kind.message_name in messages, f"{USAGE}: message {kind.message_name}"
    assert kind.frame_name in messages, f"{USAGE}: message {kind.frame_name}"
    assert EVENT_TYPES[kind].DESCRIPTOR is messages[kind.message_name]
    (events,) = FRAME_TYPES[kind].DESCRIPTOR.fields
    assert (events.name, events.number, events.message_type) == ("events", 1, messages[kind.message_name])


@KINDS
def test_a_kind_has_the_common_fields_under_the_common_numbers(kind: Kind) -> None:
    fields = EVENT_TYPES[kind].DESCRIPTOR.fields
    assert [(field.name, field.number) for field in fields][:17] == list(
        zip(COMMON, range(1, 18), strict=True)
    ), f"{USAGE}: message {kind.message_name}"
    if kind.maker_field:
        assert kind.maker_field in EVENT_TYPES[kind].DESCRIPTOR.fields_by_name


@KINDS
def test_a_kind_has_a_place_in_the_request(kind: Kind) -> None:
    field = RecordRequest.DESCRIPTOR.fields_by_name.get(kind.request_field)
    assert field is not None, f"{EMITTER}: field {kind.request_field} of RecordRequest"
    assert field.message_type is EVENT_TYPES[kind].DESCRIPTOR
    assert field.is_repeated


def test_every_message_of_the_schema_and_every_place_in_the_request_is_a_kinds() -> None:
    named = {name for kind in Kind for name in (kind.message_name, kind.frame_name)}
    unknown = set(usage_pb2.DESCRIPTOR.message_types_by_name) - named
    assert not unknown, f"services/contract/events.py: no kind for {sorted(unknown)}"
    places = {field.name for field in RecordRequest.DESCRIPTOR.fields}
    assert places == {kind.request_field for kind in Kind}, "services/contract/events.py"


def test_no_two_kinds_share_a_name() -> None:
    for name in ("topic", "table", "request_field", "message_name"):
        assert len({getattr(kind, name) for kind in Kind}) == len(Kind), name


def test_events_of_all_kinds_travel_in_one_request() -> None:
    events = [EVENT_TYPES[kind](event_id_low=number) for kind in Kind for number in (1, 2)]
    request = request_of(list(reversed(events)))
    assert count_of(request) == len(events)
    assert {kind: [event.event_id_low for event in found] for kind, found in by_kind(request)} == {
        kind: [2, 1] for kind in Kind
    }
