"""The messages of each kind of event, found by the names that follow from the kind's row in the contract."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.usage.v1 import usage_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from services.contract.events import Kind


def _message_type(name: str) -> type[Message]:
    descriptor = usage_pb2.DESCRIPTOR.message_types_by_name.get(name)
    if descriptor is None:
        raise LookupError(f"protos/comptoir/usage/v1/usage.proto has no message {name}")
    return GetMessageClass(descriptor)


# An event is typed as Any: every kind has the common fields, and none of them is of one class.
EVENT_TYPES: Final[Mapping[Kind, type[Any]]] = {kind: _message_type(kind.message_name) for kind in Kind}
FRAME_TYPES: Final[Mapping[Kind, type[Any]]] = {kind: _message_type(kind.frame_name) for kind in Kind}

_REQUEST_FIELDS: Final = {EVENT_TYPES[kind].DESCRIPTOR.full_name: kind.request_field for kind in Kind}
_KINDS: Final = {kind.request_field: kind for kind in Kind}


def add_to(request: RecordRequest, events: Sequence[Message]) -> None:
    """Adds `events`, which may be of several kinds, to the request that hands them over."""
    for event in events:
        getattr(request, _REQUEST_FIELDS[event.DESCRIPTOR.full_name]).append(event)


def request_of(events: Sequence[Message]) -> RecordRequest:
    """Returns the request that hands over `events`."""
    request = RecordRequest()
    add_to(request, events)
    return request


def by_kind(request: RecordRequest) -> Iterator[tuple[Kind, Sequence[Any]]]:
    """Yields the request's events of each kind that it has, in the order of the schema."""
    for field, events in request.ListFields():
        yield _KINDS[field.name], events


def count_of(request: RecordRequest) -> int:
    """Returns the number of events of all kinds."""
    return sum(len(events) for _, events in by_kind(request))
