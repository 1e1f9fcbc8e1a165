"""The frame: the immutable unit in which events of one kind rest in the spool and travel through Kafka.

A frame is a fixed 36-byte little-endian header and a body. The body is the serialized
`comptoir.usage.v1.<Kind>Frame`, canonical: parsing and serializing it again gives the same bytes. Once
sealed, a frame's bytes never change, so whoever sees it twice sees the same bytes and the same identity.
`docs/adr/0005-frames-are-the-unit-of-delivery.md` says why.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

MAGIC = b"CPTR"
HEADER_VERSION = 1
SCHEMA_VERSION = 1

# magic, header version, kind, schema version, producer id, first sequence, count, body length, body CRC-32
HEADER = struct.Struct("<4sBBHQQIII")

# The tag of field 1 with a length before it: how protobuf writes one element of `repeated ... events = 1`.
_EVENTS_TAG = b"\x0a"


class Kind(IntEnum):
    """What a frame's events are; also the order in which kinds are listed anywhere."""

    ADMISSION = 1
    GENERATION = 2
    EDGE_REQUEST = 3
    REPLICA_LOAD = 4


TOPICS: dict[Kind, str] = {
    Kind.ADMISSION: "comptoir.admission.v1",
    Kind.GENERATION: "comptoir.generation.v1",
    Kind.EDGE_REQUEST: "comptoir.edge-request.v1",
    Kind.REPLICA_LOAD: "comptoir.replica-load.v1",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """Events `first_sequence` to `last_sequence` of one kind and producer, and the bytes that hold them."""

    kind: Kind
    producer_id: int
    first_sequence: int
    count: int
    crc: int
    value: bytes

    @property
    def last_sequence(self) -> int:
        """Sequence of the last event."""
        return self.first_sequence + self.count - 1

    @property
    def body(self) -> bytes:
        """The serialized list of events."""
        return self.value[HEADER.size :]


def seal(kind: Kind, producer_id: int, first_sequence: int, events: Sequence[bytes]) -> Frame:
    """The frame of serialized events that carry `producer_id` and sequences from `first_sequence` on."""
    body = b"".join(_EVENTS_TAG + _varint(len(event)) + event for event in events)
    crc = zlib.crc32(body)
    header = HEADER.pack(
        MAGIC,
        HEADER_VERSION,
        kind,
        SCHEMA_VERSION,
        producer_id,
        first_sequence,
        len(events),
        len(body),
        crc,
    )
    return Frame(kind, producer_id, first_sequence, len(events), crc, header + body)


def _varint(number: int) -> bytes:
    """`number` as protobuf writes lengths: seven bits to a byte, the lowest first."""
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
