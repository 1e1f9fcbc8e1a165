"""Bodies of frames and the schema: what the domain checks, and what the store is told about the bytes."""

import re
import zlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, Final

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FieldOptions
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from pipelines.usage.domain.columns import enum_type, integer_type
from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.frame import EventKey
from pipelines.usage.domain.validation import Bounds, Columns
from services.contract.events import Kind
from services.contract.frame import Frame
from services.kernel.reasons import Reason
from services.runtime.event_messages import EVENT_TYPES, FRAME_TYPES

_ALWAYS_CHECKED: Final = (
    "producer_id",
    "producer_sequence",
    "schema_version",
    "region",
    "started_at_microseconds",
)
_SCALARS: Final = {
    FieldDescriptor.TYPE_FIXED64: "fixed64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_BOOL: "bool",
    # The store's Enum columns take numbers from an int32 field, and names only from its own enums.
    FieldDescriptor.TYPE_ENUM: "int32",
}

# What 0 of an enum means in the store; `none` where it is not listed.
_NAMES_OF_0: Final = {"Endpoint": "other"}
# How numbers are written: a field of a newer schema is one of these, since no event holds anything else.
_NUMBERS: Final = frozenset({0, 1, 5})


def field_names(kind: Kind) -> tuple[str, ...]:
    """Returns the fields of an event, which are the columns of its table."""
    return tuple(field.name for field in EVENT_TYPES[kind].DESCRIPTOR.fields)


def parse(frame: Frame) -> Columns:
    """Returns the values to check, a list per field; BadFrameError where the body is not what it seems.

    A canonical body holds nothing but the schema's fields: an unknown field could be text, and the store
    would ignore it in silence.
    """
    kind = frame.kind
    try:
        message = FRAME_TYPES[kind].FromString(frame.body)
    except DecodeError:
        raise BadFrameError(Fault.BODY_UNREADABLE) from None
    # The parser keeps unknown fields and writes them back, so they go before the comparison.
    message.DiscardUnknownFields()
    if message.SerializeToString(deterministic=True) != frame.body:
        raise BadFrameError(Fault.FIELD_UNKNOWN if _is_newer(frame) else Fault.BODY_NOT_CANONICAL)
    events = message.events
    fields = {*_ALWAYS_CHECKED, *BOUNDS[kind]}
    return {field: [getattr(event, field) for event in events] for field in fields}


def _is_newer(frame: Frame) -> bool:
    """Returns True if the body has numbers in fields of a newer schema, and nothing else that is new."""
    message = FRAME_TYPES[frame.kind].FromString(frame.body)
    events = message.events
    parts: list[Any] = [UnknownFieldSet(part) for part in (message, *events)]  # typed without its iterator
    unknown = {field.wire_type for part in parts for field in part}
    return bool(unknown) and unknown <= _NUMBERS


def keys_of(frame: Frame) -> Sequence[EventKey]:
    """Returns the frame's events, in order."""
    return [_key(event) for event in _events(frame)]


def started_within(frame: Frame) -> tuple[int, int]:
    """Returns when the first and the last of the frame's events began, in microseconds."""
    starts = [event.started_at_microseconds for event in _events(frame)]
    return min(starts), max(starts)


def without(frame: Frame, stored: AbstractSet[EventKey]) -> Frame | None:
    """Returns the frame of those events that are not `stored`, the frame itself if none is, None if all are.

    Its token follows from what it holds: leaving out the same events again makes the same one.
    """
    left = [event for event in _events(frame) if _key(event) not in stored]
    if len(left) == frame.count:
        return frame
    if not left:
        return None
    body = FRAME_TYPES[frame.kind](events=left).SerializeToString(deterministic=True)
    first = left[0].producer_sequence
    return replace(frame, first_sequence=first, count=len(left), crc=zlib.crc32(body), body=body)


def _events(frame: Frame) -> Sequence[Any]:
    message = FRAME_TYPES[frame.kind].FromString(frame.body)
    events: Sequence[Any] = message.events
    return events


def _key(event: Any) -> EventKey:
    return EventKey(event.producer_sequence, event.event_id_high, event.event_id_low)


def store_schema(kind: Kind) -> str:
    """Returns the event's fields in protobuf's language, for the store; the message is named `Event`."""
    lines = (
        f"{_SCALARS[field.type]} {field.name} = {field.number};"
        for field in EVENT_TYPES[kind].DESCRIPTOR.fields
    )
    return f'syntax = "proto3"; message Event {{ {" ".join(lines)} }}'


def _bounds(event: Descriptor) -> Mapping[str, Bounds]:
    rules = {}
    for field in event.fields:
        # Read anew: options that were looked at before the rules were known are kept without them.
        options = FieldOptions.FromString(field.GetOptions().SerializeToString())
        rule = options.Extensions[validate_pb2.field]
        if field.enum_type is not None:
            members = {value.number for value in field.enum_type.values} - set(rule.enum.not_in)
            rules[field.name] = Bounds(members=frozenset(members))
        elif rule.HasField("uint32"):
            most = rule.uint32.lte if rule.uint32.HasField("lte") else 2**32 - 1
            rules[field.name] = Bounds(rule.uint32.gte, most)
        elif rule.HasField("uint64"):
            most = rule.uint64.lte if rule.uint64.HasField("lte") else 2**64 - 1
            rules[field.name] = Bounds(rule.uint64.gte, most)
    return rules


# The rules that the schema itself states, read once.
BOUNDS: Final[Mapping[Kind, Mapping[str, Bounds]]] = {
    kind: _bounds(EVENT_TYPES[kind].DESCRIPTOR) for kind in Kind
}


def columns_of(kind: Kind) -> Mapping[str, str]:
    """Returns the columns of the kind's table and their types: each holds every value its field admits."""
    fields = EVENT_TYPES[kind].DESCRIPTOR.fields
    return {field.name: _column(field, BOUNDS[kind].get(field.name, Bounds())) for field in fields}


def _column(field: FieldDescriptor, bounds: Bounds) -> str:
    if field.enum_type is not None:
        admitted = bounds.members or frozenset()
        names = names_of(field.enum_type)
        return enum_type({number: names[number] for number in admitted})
    if field.type == FieldDescriptor.TYPE_BOOL:
        return "Bool"
    widest = 2**32 - 1 if field.type == FieldDescriptor.TYPE_UINT32 else 2**64 - 1
    return integer_type(min(bounds.maximum, widest) if widest < 2**32 else widest)


def names_of(enum: EnumDescriptor) -> Mapping[int, str]:
    """Returns the names of an enum's numbers in the store: without the enum's own before them."""
    if enum.name == "ErrorReason":
        return {int(reason): reason.sql_name for reason in Reason}
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    names = {value.number: value.name.removeprefix(prefix).lower() for value in enum.values}
    return {**names, 0: _NAMES_OF_0.get(enum.name, "none")}
