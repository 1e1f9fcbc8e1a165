"""A frame: the header of a Kafka value, its checks, and the identity by which it counts once."""

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from pipelines.usage.domain.errors import BadFrameError, Fault

HEADER = struct.Struct("<4sBBHQQIII")
MAGIC = b"CPTR"
HEADER_VERSION = 1
# Versions of the events that this build reads.
SCHEMA_VERSIONS = frozenset({1})
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

    @property
    def last_sequence(self) -> int:
        """Sequence of the last event."""
        return self.first_sequence + self.count - 1


class EventKey(NamedTuple):
    """One event of a producer: its sequence and its own id.

    Both, because a spool that was brought back from a copy gives its sequences out again.
    """

    sequence: int
    id_high: int
    id_low: int


class Claim(NamedTuple):
    """Whose events a frame says that it holds, and which."""

    producer_id: int
    first_sequence: int
    events: int


NO_CLAIM = Claim(0, 0, 0)


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
    if magic != MAGIC:
        raise BadFrameError(Fault.MAGIC_WRONG)
    # Beyond this the header of another version may be laid out in another way.
    if version != HEADER_VERSION:
        raise BadFrameError(Fault.HEADER_VERSION_UNKNOWN, version=version, known_version=HEADER_VERSION)
    # Whether the bytes are what was written comes before what they mean: only then is it another program's.
    checks = (
        (length == len(body), Fault.LENGTH_WRONG),
        (zlib.crc32(body) == crc32, Fault.CHECKSUM_WRONG),
        (number == kind or number > max(Kind), Fault.KIND_WRONG),
        (1 <= count <= MAX_EVENTS, Fault.COUNT_WRONG),
        (first >= 1 and first + count - 1 <= _LAST_SEQUENCE, Fault.SEQUENCE_WRONG),
    )
    for is_right, fault in checks:
        if not is_right:
            raise BadFrameError(fault)
    if number != kind:
        raise BadFrameError(Fault.KIND_UNKNOWN, version=number, known_version=max(Kind))
    if schema_version not in SCHEMA_VERSIONS:
        raise BadFrameError(
            Fault.SCHEMA_VERSION_UNKNOWN, version=schema_version, known_version=max(SCHEMA_VERSIONS)
        )
    return Frame(Header(kind, schema_version, producer_id, first, count, crc32), body)


def claimed(value: bytes) -> Claim:
    """What the header of a frame that cannot be stored says about its events; zeros where it is no header.

    The numbers are only believed where the length fits, because other bytes could be anything, text too.
    """
    if len(value) < HEADER.size:
        return NO_CLAIM
    magic, version, _, _, producer_id, first, count, length, _ = HEADER.unpack_from(value)
    is_header = magic == MAGIC and version == HEADER_VERSION and length == len(value) - HEADER.size
    if not is_header or not 1 <= count <= MAX_EVENTS or not 1 <= first <= _LAST_SEQUENCE - count + 1:
        return NO_CLAIM
    return Claim(producer_id, first, count)
