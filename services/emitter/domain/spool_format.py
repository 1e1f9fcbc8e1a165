"""What rests in the spool: events and positions, each sealed by a checksum of its own.

Both are found again by their first bytes alone, wherever they lie in a damaged file, and say themselves what
they are. So nothing that a disk did to the file around them can change an event or move it elsewhere.
"""

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from services.contract.events import Kind

_RECORD_MAGIC: Final = b"\xc3pR1"
# magic, checksum of all that follows, bytes of the event, kind, producer id, sequence, when it was taken
_RECORD: Final = struct.Struct("<4sIHBQQQ")
EVENT_ID_BYTES: Final = 16
# The id of an event that an older spool took: it is known by the list of recent ids alone.
NO_EVENT_ID: Final = bytes(EVENT_ID_BYTES)

_POSITIONS_MAGIC: Final = b"\xc3pP1"
# magic, checksum of all that follows, bytes of the rest, generation, producer id
_POSITIONS: Final = struct.Struct("<4sIIQQ")
# kind, next sequence, sealed through, bytes that wait, partition (-1: none), number of frames and of gaps
_POSITION: Final = struct.Struct("<BQQQiII")
# first sequence, events, checksum, bytes
_FRAME: Final = struct.Struct("<QIII")
# first and last sequence
_GAP: Final = struct.Struct("<QQ")
_CHECKSUM_END: Final = 8

# Longer ones do not lie in one piece in the file, so they are not looked for.
_LONGEST_BYTES: Final = 4_096

# A file in memory, or mapped into it.
Mapped = bytes | mmap.mmap


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it was acknowledged."""

    kind: Kind
    producer_id: int
    sequence: int
    taken_at_microseconds: int
    event_id: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """The extent of a frame that waits for Kafka; its bytes follow from its events."""

    first_sequence: int
    count: int
    crc: int
    size_bytes: int

    @property
    def last_sequence(self) -> int:
        """Sequence of the last event."""
        return self.first_sequence + self.count - 1


@dataclass(frozen=True, slots=True)
class Position:
    """Where the events of a kind are: in `frames`, or after `sealed_through` in none; before, in Kafka.

    `gaps` are events after `sealed_through` that the disk has spoilt: they are in no frame and never will be.
    """

    kind: Kind
    next_sequence: int = 1
    sealed_through: int = 0
    size_bytes: int = 0
    partition: int | None = None
    frames: tuple[Sealed, ...] = ()
    gaps: tuple[tuple[int, int], ...] = ()

    @property
    def events(self) -> int:
        """How many wait."""
        return sum(frame.count for frame in self.frames) + self.unsealed

    @property
    def unsealed(self) -> int:
        """How many wait in no frame."""
        lost = sum(last - first + 1 for first, last in self.gaps)
        return self.next_sequence - 1 - self.sealed_through - lost

    @property
    def first_sequence(self) -> int:
        """Sequence of the oldest event that waits; the next one where none does."""
        return self.frames[0].first_sequence if self.frames else self.run()[0]

    def run(self) -> tuple[int, int]:
        """Returns first and last sequence of the oldest unsealed events between which there is no gap."""
        first, last = self.sealed_through + 1, self.next_sequence - 1
        for gap_first, gap_last in self.gaps:
            if gap_first > first:
                return first, gap_first - 1
            first = gap_last + 1
        return first, last


@dataclass(frozen=True, slots=True)
class Positions:
    """All that the spool knows besides events; of two, the one of the larger generation is the newer."""

    generation: int
    producer_id: int
    by_kind: dict[Kind, Position] = field(default_factory=lambda: {kind: Position(kind) for kind in Kind})


def encode_record(record: Record) -> bytes:
    """Returns the record's bytes; its checksum covers everything that it says."""
    head = _RECORD.pack(
        _RECORD_MAGIC,
        0,
        len(record.body),
        record.kind,
        record.producer_id,
        record.sequence,
        record.taken_at_microseconds,
    )
    return _sealed(head + record.event_id + record.body)


def decode_record(content: bytes) -> Record | None:
    """Returns the record at the beginning of `content`, or None if there is no whole one."""
    if len(content) < _RECORD.size + EVENT_ID_BYTES:
        return None
    magic, crc, length, kind, producer_id, sequence, taken_at = _RECORD.unpack_from(content)
    end = _RECORD.size + EVENT_ID_BYTES + length
    if magic != _RECORD_MAGIC or len(content) < end or zlib.crc32(content[_CHECKSUM_END:end]) != crc:
        return None
    event_id = content[_RECORD.size : _RECORD.size + EVENT_ID_BYTES]
    body = content[_RECORD.size + EVENT_ID_BYTES : end]
    return Record(Kind(kind), producer_id, sequence, taken_at, event_id, body)


def encode_positions(positions: Positions) -> bytes:
    """Returns the positions' bytes, with their checksum."""
    rest = b"".join(
        _POSITION.pack(
            at.kind,
            at.next_sequence,
            at.sealed_through,
            at.size_bytes,
            -1 if at.partition is None else at.partition,
            len(at.frames),
            len(at.gaps),
        )
        + b"".join(_FRAME.pack(f.first_sequence, f.count, f.crc, f.size_bytes) for f in at.frames)
        + b"".join(_GAP.pack(*gap) for gap in at.gaps)
        for at in positions.by_kind.values()
    )
    head = _POSITIONS.pack(_POSITIONS_MAGIC, 0, len(rest), positions.generation, positions.producer_id)
    return _sealed(head + rest)


def decode_positions(content: bytes) -> Positions | None:
    """Returns the positions at the beginning of `content`, or None if there are no whole ones."""
    if len(content) < _POSITIONS.size:
        return None
    magic, crc, length, generation, producer_id = _POSITIONS.unpack_from(content)
    end = _POSITIONS.size + length
    if magic != _POSITIONS_MAGIC or len(content) < end or zlib.crc32(content[_CHECKSUM_END:end]) != crc:
        return None
    by_kind: dict[Kind, Position] = {}
    offset = _POSITIONS.size
    while offset < end:
        kind, following, sealed, size, chosen, frames, gaps = _POSITION.unpack_from(content, offset)
        frames_at = offset + _POSITION.size
        gaps_at = frames_at + frames * _FRAME.size
        by_kind[Kind(kind)] = Position(
            Kind(kind),
            following,
            sealed,
            size,
            None if chosen < 0 else chosen,
            tuple(Sealed(*each) for each in _FRAME.iter_unpack(content[frames_at:gaps_at])),
            tuple(_GAP.iter_unpack(content[gaps_at : gaps_at + gaps * _GAP.size])),
        )
        offset = gaps_at + gaps * _GAP.size
    return Positions(generation, producer_id, by_kind)


def records_in(content: Mapped) -> Iterator[Record]:
    """Returns every whole record anywhere in `content`, in the order in which they lie there."""
    for offset in _places(content, _RECORD_MAGIC):
        record = decode_record(content[offset : offset + _LONGEST_BYTES])
        if record is not None:
            yield record


def newest_positions_in(content: Mapped) -> Positions | None:
    """Returns the newest whole positions anywhere in `content`."""
    newest = None
    for offset in _places(content, _POSITIONS_MAGIC):
        found = decode_positions(content[offset : offset + _LONGEST_BYTES])
        if found is not None and (newest is None or found.generation > newest.generation):
            newest = found
    return newest


def _places(content: Mapped, magic: bytes) -> Iterator[int]:
    offset = content.find(magic)
    while offset >= 0:
        yield offset
        offset = content.find(magic, offset + 1)


def _sealed(content: bytes) -> bytes:
    crc = zlib.crc32(content[_CHECKSUM_END:])
    return content[:4] + crc.to_bytes(4, "little") + content[_CHECKSUM_END:]
