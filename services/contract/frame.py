"""The frame: the immutable unit in which events of one kind rest in the spool and travel through Kafka.

A frame is a fixed 36-byte little-endian header and a body. The body is the serialized
`comptoir.usage.v1.<Kind>Frame`, canonical: parsing and serializing it again gives the same bytes. Once
sealed, a frame's bytes never change, so every reader sees the same bytes and the same identity.
`docs/adr/0005-frames-are-the-unit-of-delivery.md` says why; `tests/contracts/frames.json` has the vectors.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

from services.contract.events import EVENT_SCHEMA_VERSION, Kind

MAGIC: Final = b"CPTR"
HEADER_VERSION: Final = 1
# magic, header version, kind, schema version, producer id, first sequence, count, body length, body CRC-32
HEADER: Final = struct.Struct("<4sBBHQQIII")
# Versions of the events' meanings that this program reads; it writes the newest.
SCHEMA_VERSIONS: Final = frozenset({EVENT_SCHEMA_VERSION})
# What the format admits; an emitter seals far fewer.
MAX_EVENTS: Final = 100_000

_LAST_SEQUENCE: Final = 2**64 - 1
# The tag of field 1 with a length before it: how protobuf writes one element of `repeated ... events = 1`.
_EVENTS_TAG: Final = b"\x0a"


class FrameFault(Enum):
    """The rule of the format that bytes break."""

    HEADER_TRUNCATED = auto()
    MAGIC_WRONG = auto()
    HEADER_VERSION_UNKNOWN = auto()
    KIND_WRONG = auto()
    KIND_UNKNOWN = auto()
    SCHEMA_VERSION_UNKNOWN = auto()
    LENGTH_WRONG = auto()
    CHECKSUM_WRONG = auto()
    COUNT_WRONG = auto()
    SEQUENCE_WRONG = auto()


class FrameError(Exception):
    """The bytes are no frame of the kind, or one of another program; `figures` has the versions then."""

    def __init__(self, fault: FrameFault, **figures: int) -> None:
        super().__init__(fault.name)
        self.fault = fault
        self.figures: Mapping[str, int] = figures


@dataclass(frozen=True, slots=True)
class Frame:
    """Events `first_sequence` to `last_sequence` of one kind and producer, as a serialized list."""

    kind: Kind
    schema_version: int
    producer_id: int
    first_sequence: int
    count: int
    crc: int
    body: bytes

    @property
    def last_sequence(self) -> int:
        """Sequence of the last event."""
        return self.first_sequence + self.count - 1

    @property
    def value(self) -> bytes:
        """The bytes of the frame: header and body, the value of a record in Kafka."""
        place = (self.kind, self.schema_version, self.producer_id, self.first_sequence, self.count)
        return HEADER.pack(MAGIC, HEADER_VERSION, *place, len(self.body), self.crc) + self.body

    @property
    def size_bytes(self) -> int:
        """The length of `value`."""
        return HEADER.size + len(self.body)

    @property
    def token(self) -> str:
        """The identity under which a store takes the frame once, wherever and whenever it is read again."""
        return f"{self.kind.value}:{self.producer_id:016x}:{self.first_sequence}:{self.count}:{self.crc:08x}"


class Claim(NamedTuple):
    """Whose events a frame says that it holds, and which."""

    producer_id: int
    first_sequence: int
    events: int


NO_CLAIM: Final = Claim(0, 0, 0)


def seal(kind: Kind, producer_id: int, first_sequence: int, events: Sequence[bytes]) -> Frame:
    """Returns the frame of serialized events that carry `producer_id` and sequences from `first_sequence`."""
    body = b"".join(_EVENTS_TAG + with_length(event) for event in events)
    crc = zlib.crc32(body)
    return Frame(kind, EVENT_SCHEMA_VERSION, producer_id, first_sequence, len(events), crc, body)


def decode(value: bytes, *, kind: Kind) -> Frame:
    """Returns the frame that `value` holds, for a topic of `kind`; raises FrameError."""
    if len(value) < HEADER.size:
        raise FrameError(FrameFault.HEADER_TRUNCATED)
    magic, version, number, schema_version, producer_id, first, count, length, crc = HEADER.unpack_from(value)
    body = value[HEADER.size :]
    if magic != MAGIC:
        raise FrameError(FrameFault.MAGIC_WRONG)
    # Beyond this the header of another version may be laid out in another way.
    if version != HEADER_VERSION:
        raise FrameError(FrameFault.HEADER_VERSION_UNKNOWN, version=version, known_version=HEADER_VERSION)
    # Whether the bytes are what was written comes before what they mean: only then is it another program's.
    checks = (
        (length == len(body), FrameFault.LENGTH_WRONG),
        (zlib.crc32(body) == crc, FrameFault.CHECKSUM_WRONG),
        (number == kind or number > max(Kind), FrameFault.KIND_WRONG),
        (1 <= count <= MAX_EVENTS, FrameFault.COUNT_WRONG),
        (first >= 1 and first + count - 1 <= _LAST_SEQUENCE, FrameFault.SEQUENCE_WRONG),
    )
    for is_right, fault in checks:
        if not is_right:
            raise FrameError(fault)
    if number != kind:
        raise FrameError(FrameFault.KIND_UNKNOWN, version=number, known_version=max(Kind))
    if schema_version not in SCHEMA_VERSIONS:
        raise FrameError(
            FrameFault.SCHEMA_VERSION_UNKNOWN, version=schema_version, known_version=max(SCHEMA_VERSIONS)
        )
    return Frame(kind, schema_version, producer_id, first, count, crc, body)


def claimed(value: bytes) -> Claim:
    """Returns what the header of a frame that cannot be stored says of its events; zeros if it is none.

    The numbers are only believed where the length fits, because other bytes could be anything, text too.
    """
    if len(value) < HEADER.size:
        return NO_CLAIM
    magic, version, _, _, producer_id, first, count, length, _ = HEADER.unpack_from(value)
    is_header = magic == MAGIC and version == HEADER_VERSION and length == len(value) - HEADER.size
    if not is_header or not 1 <= count <= MAX_EVENTS or not 1 <= first <= _LAST_SEQUENCE - count + 1:
        return NO_CLAIM
    return Claim(producer_id, first, count)


def with_length(content: bytes) -> bytes:
    """Returns `content` after its length, as protobuf writes it: seven bits to a byte, the lowest first."""
    length, prefix = len(content), bytearray()
    while length > 0x7F:  # noqa: PLR2004 - seven bits
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + content
