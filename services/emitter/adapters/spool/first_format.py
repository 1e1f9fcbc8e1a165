"""Reads a spool of the format before events had checksums, so that it can be built anew."""

import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from services.contract.events import Kind
from services.contract.frame import HEADER
from services.emitter.adapters.spool import rebuilding
from services.emitter.domain.spool_format import NO_EVENT_ID, Position, Positions, Record, Sealed

_EVENT_TAG: Final = 0x0A
_SEVEN_BITS: Final = 0x7F


def migrate(folder: Path, connection: sqlite3.Connection) -> tuple[rebuilding.Lost, ...]:
    """Builds the new file beside the old one, which is not changed; returns spoilt frames' events."""
    positions = _positions(connection)
    # The log goes into the file, so that the file alone is the old spool until it is replaced.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ids = connection.execute("SELECT epoch, event_id FROM recent_ids")
    return rebuilding.build(folder, positions, _records(connection, positions), ids)


def _positions(connection: sqlite3.Connection) -> Positions:
    (producer,) = connection.execute("SELECT value FROM meta WHERE name = 'producer_id'").fetchone()
    positions = Positions(1, int.from_bytes(producer, "big"))
    rows = connection.execute(
        "SELECT kind, next_sequence, sealed_through, size_bytes, kafka_partition FROM kinds"
    ).fetchall()
    for kind, following, sealed_through, size_bytes, partition in rows:
        frames = connection.execute(
            "SELECT first_sequence, count, crc, length(value) FROM frames WHERE kind = ?"
            " ORDER BY first_sequence",
            (kind,),
        )
        extents = tuple(Sealed(*frame) for frame in frames)
        positions.by_kind[Kind(kind)] = Position(
            Kind(kind), following, sealed_through, size_bytes, partition, extents
        )
    return positions


def _records(connection: sqlite3.Connection, positions: Positions) -> Iterator[Record]:
    frames = connection.execute("SELECT kind, first_sequence, crc, oldest_at, value FROM frames")
    for kind, first, crc, oldest_at, value in frames:
        for index, body in enumerate(_bodies(value, crc)):
            yield Record(Kind(kind), positions.producer_id, first + index, oldest_at, NO_EVENT_ID, body)
    for kind, sequence, taken_at, body in connection.execute(
        "SELECT kind, sequence, taken_at, body FROM journal"
    ):
        yield Record(Kind(kind), positions.producer_id, sequence, taken_at, NO_EVENT_ID, body)


def _bodies(value: bytes, crc: int) -> Sequence[bytes]:
    """Returns the events in a frame's bytes; none if they are not those that were sealed."""
    body = value[HEADER.size :]
    if zlib.crc32(body) != crc:
        return []
    bodies, offset = [], 0
    while offset < len(body):
        length, offset = _length(body, offset)
        bodies.append(body[offset : offset + length])
        offset += length
    return bodies


def _length(body: bytes, offset: int) -> tuple[int, int]:
    """Returns the length of the element at `offset`, and where its content begins."""
    if body[offset] != _EVENT_TAG:
        raise struct.error
    length, shift = 0, 0
    while True:
        offset += 1
        length |= (body[offset] & _SEVEN_BITS) << shift
        shift += 7
        if body[offset] <= _SEVEN_BITS:
            return length, offset + 1
