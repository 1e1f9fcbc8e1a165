"""Frames for tests, packed here by hand, so that the decoder is not checked against itself."""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from services.contract.events import Kind
from services.runtime.event_messages import EVENT_TYPES, FRAME_TYPES
from tests.contracts.frames import least_of

# 2026-09-21 14:13:20 UTC, where a ManualClock stands.
NOW_MICROSECONDS = 1_790_000_000_000_000
DAY_MICROSECONDS = 86_400_000_000
PRODUCER = 0x0123_4567_89AB_CDEF
REGION = 1

_OWN: dict[Kind, dict[str, int]] = {
    Kind.ADMISSION: {"decision": 1, "model": 1},
    Kind.GENERATION: {"outcome": 1, "model": 1},
    Kind.EDGE_REQUEST: {"http_status": 200},
    Kind.REPLICA_LOAD: {"running_requests": 1},
}


def event(kind: Kind, sequence: int, **fields: Any) -> Message:
    """One event that passes every check at NOW_MICROSECONDS."""
    values = {
        "event_id_high": 1,
        "event_id_low": sequence,
        "schema_version": 1,
        "producer_id": PRODUCER,
        "producer_sequence": sequence,
        "request_id_high": 2,
        "request_id_low": sequence,
        "region": REGION,
        "started_at_microseconds": NOW_MICROSECONDS,
        **(_OWN[kind] if kind in _OWN else least_of(kind)),
        **fields,
    }
    message: Message = EVENT_TYPES[kind](**values)
    return message


def body(kind: Kind, events: Sequence[Message]) -> bytes:
    """The serialized list."""
    content: bytes = FRAME_TYPES[kind](events=events).SerializeToString(deterministic=True)
    return content


def pack(kind: int, content: bytes, *, count: int, first: int = 1, **header: Any) -> bytes:
    """A Kafka value: the header, with any of its fields replaced, and the body."""
    fields = {
        "magic": b"CPTR",
        "version": 1,
        "schema_version": 1,
        "producer": PRODUCER,
        "length": len(content),
        "crc": zlib.crc32(content),
        **header,
    }
    return (
        struct.pack(
            "<4sBBHQQIII",
            fields["magic"],
            fields["version"],
            kind,
            fields["schema_version"],
            fields["producer"],
            first,
            count,
            fields["length"],
            fields["crc"],
        )
        + content
    )


def value(kind: Kind = Kind.GENERATION, *, first: int = 1, count: int = 3, **fields: Any) -> bytes:
    """A good frame of `count` events from sequence `first` on."""
    events = [event(kind, sequence, **fields) for sequence in range(first, first + count)]
    producer = fields.get("producer_id", PRODUCER)
    return pack(kind, body(kind, events), count=count, first=first, producer=producer)
