"""A frame: the header of a Kafka value, its checks, and the identity by which it counts once."""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from pipelines.usage.domain.errors import BadFrameError, Fault

HEADER = struct.Struct("<4sBBHQQIII")
MAGIC = b"CPTR"
HEADER_VERSION = 1
SCHEMA_VERSION = 1
MAX_EVENTS = 100_000
_LAST_SEQUENCE = 2**64 - 1


class Kind(IntEnum):
    """What a frame holds; the numbers of the header."""

    ADMISSION = 1
    GENERATION = 2
    EDGE_REQUEST = 3
    REPLICA_LOAD = 4


@dataclass(frozen=True, slots=True)
class Header:
    """The fixed header, after its checks."""

    kind: Kind
    schema_version: int
    producer_id: int
    first_sequence: int
    count: int
    crc32: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One Kafka value: the header, and a serialized list of events of one kind."""

    header: Header
    body: bytes

    @property
    def token(self) -> str:
        """The identity under which the store takes the frame once, wherever and whenever it is read again."""
        header = self.header
        return (
            f"{header.kind.value}:{header.producer_id:016x}:{header.first_sequence}"
            f":{header.count}:{header.crc32:08x}"
        )


def decode(value: bytes, *, kind: Kind) -> Frame:
    """The frame that `value` holds, for a topic of `kind`; raises BadFrameError."""
    if len(value) < HEADER.size:
        raise BadFrameError(Fault.HEADER_TRUNCATED)
    magic, version, number, schema_version, producer_id, first, count, length, crc32 = HEADER.unpack_from(
        value
    )
    body = value[HEADER.size :]
    checks = (
        (magic == MAGIC, Fault.MAGIC_WRONG),
        (version == HEADER_VERSION, Fault.HEADER_VERSION_UNKNOWN),
        (number == kind, Fault.KIND_WRONG),
        (schema_version == SCHEMA_VERSION, Fault.SCHEMA_VERSION_UNKNOWN),
        (length == len(body), Fault.LENGTH_WRONG),
        (zlib.crc32(body) == crc32, Fault.CHECKSUM_WRONG),
        (1 <= count <= MAX_EVENTS, Fault.COUNT_WRONG),
        (first >= 1 and first + count - 1 <= _LAST_SEQUENCE, Fault.SEQUENCE_WRONG),
    )
    for is_right, fault in checks:
        if not is_right:
            raise BadFrameError(fault)
    return Frame(Header(kind, schema_version, producer_id, first, count, crc32), body)
