"""A new spool file from what is whole of a damaged one, or of one in an older format.

The new file is finished under another name, flushed, and only then takes the place of the old one, which is
kept aside if it was damaged. A process that is killed on the way finds either the old file or the new one.
"""

import mmap
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from services.contract.events import Kind
from services.contract.frame import seal
from services.emitter.adapters.spool import sqlite_file
from services.emitter.domain.spool_format import (
    NO_EVENT_ID,
    Position,
    Positions,
    Record,
    Sealed,
    decode_record,
    encode_record,
    newest_positions_in,
    records_in,
)

_NEW: Final = ".new"
_ASIDE: Final = ".damaged"
_LOG: Final = "-wal"
# Records that are held in memory at a time.
_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Lost:
    """Consecutive events of one kind of which no whole copy was found."""

    kind: Kind
    first_sequence: int
    count: int


class NothingToSaveError(Exception):
    """The file holds nothing that was ever a spool."""


def finish_exchange(folder: Path) -> None:
    """Completes an exchange of files that a killed process began, or undoes what it had not finished."""
    path, new = folder / sqlite_file.FILE_NAME, folder / (sqlite_file.FILE_NAME + _NEW)
    if not path.exists() and new.exists():
        put_in_place(folder)
    new.unlink(missing_ok=True)


def salvage(folder: Path) -> tuple[Lost, ...]:
    """Puts a whole file in the place of a damaged one; returns what could not be saved.

    Raises NothingToSaveError if no positions are found, and OSError or sqlite3.Error if there is no room.
    """
    path = folder / sqlite_file.FILE_NAME
    with ExitStack() as mapped:
        files = [file for file in (path, _beside(path, _LOG)) if file.exists() and file.stat().st_size]
        contents = [mapped.enter_context(_mapped(file)) for file in files]
        found = [positions for content in contents if (positions := newest_positions_in(content))]
        if not found:
            raise NothingToSaveError
        positions = max(found, key=lambda each: each.generation)
        ids = _readable_ids(path)
        records = (record for content in contents for record in records_in(content))
        lost = build(folder, positions, records, ids)
    for suffix in ("", _LOG):
        with suppress(FileNotFoundError):
            _beside(path, suffix).replace(_beside(path, _ASIDE + suffix))
    put_in_place(folder)
    return lost


def build(
    folder: Path, positions: Positions, records: Iterable[Record], ids: Iterable[tuple[int, bytes]]
) -> tuple[Lost, ...]:
    """Makes the new file and flushes it; it is not in its place yet."""
    new = folder / (sqlite_file.FILE_NAME + _NEW)
    new.unlink(missing_ok=True)
    with closing(_fresh(new)) as connection:
        sqlite_file.create(connection, positions)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT OR IGNORE INTO recent_ids (epoch, event_id) VALUES (?, ?)", ids)
        (span,) = connection.execute("SELECT coalesce(max(epoch), 0) FROM recent_ids").fetchone()
        waiting = _waiting(positions, records)
        while some := [*islice(waiting, _AT_ONCE)]:
            _insert(connection, some, span)
        mended = {
            kind: _mended(connection, positions.producer_id, at) for kind, at in positions.by_kind.items()
        }
        at_kinds = {kind: at for kind, (at, _) in mended.items()}
        sqlite_file.write_positions(
            connection, Positions(positions.generation + 1, positions.producer_id, at_kinds)
        )
        connection.execute("COMMIT")
    _flush(new)
    return tuple(lost for _, losses in mended.values() for lost in losses)


def put_in_place(folder: Path) -> None:
    """Lets the new file replace the one that is there, whose log must hold nothing more."""
    path = folder / sqlite_file.FILE_NAME
    _beside(path, _LOG).unlink(missing_ok=True)
    _beside(path, _NEW).replace(path)
    _flush(folder)


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _fresh(path: Path) -> sqlite3.Connection:
    """Returns an empty file without a journal of its own: until it is in its place, nobody misses it."""
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _waiting(positions: Positions, records: Iterable[Record]) -> Iterator[Record]:
    """Returns the records that are not in Kafka yet; a file keeps some that are."""
    spans = {kind: range(at.first_sequence, at.next_sequence) for kind, at in positions.by_kind.items()}
    for record in records:
        if record.producer_id == positions.producer_id and record.sequence in spans[record.kind]:
            yield record


def _insert(connection: sqlite3.Connection, records: Sequence[Record], span: int) -> None:
    """Writes each record once, however many copies of it lie in the file and its log."""
    connection.executemany(
        "INSERT OR IGNORE INTO journal (kind, sequence, record) VALUES (?, ?, ?)",
        [(record.kind, record.sequence, encode_record(record)) for record in records],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO recent_ids (epoch, event_id) VALUES (?, ?)",
        [(span, record.event_id) for record in records if record.event_id != NO_EVENT_ID],
    )


def _mended(connection: sqlite3.Connection, producer_id: int, at: Position) -> tuple[Position, list[Lost]]:
    """Returns the position of a kind with what is there, and what is not."""
    frames, size_bytes, lost = list[Sealed](), 0, list[Lost]()
    for frame in at.frames:
        runs, gaps = _runs(connection, at.kind, frame.first_sequence, frame.last_sequence)
        lost += gaps
        frames += [frame] if not gaps else [_sealed(connection, producer_id, at.kind, *run) for run in runs]
    known = {sequence for first, last in at.gaps for sequence in range(first, last + 1)}
    runs, gaps = _runs(connection, at.kind, at.sealed_through + 1, at.next_sequence - 1)
    for gap in gaps:
        fresh = [n for n in range(gap.first_sequence, gap.first_sequence + gap.count) if n not in known]
        lost += [Lost(at.kind, fresh[0], len(fresh))] if fresh else []
    for first, last in runs:
        size_bytes += sum(len(body) for body in _bodies(connection, at.kind, first, last))
    size_bytes += sum(frame.size_bytes for frame in frames)
    extents = tuple((gap.first_sequence, gap.first_sequence + gap.count - 1) for gap in gaps)
    return replace(at, frames=tuple(frames), gaps=extents, size_bytes=size_bytes), lost


def _runs(
    connection: sqlite3.Connection, kind: Kind, first: int, last: int
) -> tuple[list[tuple[int, int]], list[Lost]]:
    """Returns what of a span is there, as runs of consecutive sequences, and what is not."""
    rows = connection.execute(
        "SELECT sequence FROM journal WHERE kind = ? AND sequence BETWEEN ? AND ? ORDER BY sequence",
        (kind, first, last),
    )
    runs, lost, following = list[tuple[int, int]](), list[Lost](), first
    for (sequence,) in rows:
        if runs and sequence == following:
            runs[-1] = (runs[-1][0], sequence)
        else:
            runs.append((sequence, sequence))
        if sequence > following:
            lost.append(Lost(kind, following, sequence - following))
        following = sequence + 1
    if following <= last:
        lost.append(Lost(kind, following, last - following + 1))
    return runs, lost


def _sealed(connection: sqlite3.Connection, producer_id: int, kind: Kind, first: int, last: int) -> Sealed:
    frame = seal(kind, producer_id, first, [*_bodies(connection, kind, first, last)])
    return Sealed(first, frame.count, frame.crc, frame.size_bytes)


def _bodies(connection: sqlite3.Connection, kind: Kind, first: int, last: int) -> Iterator[bytes]:
    rows = connection.execute(
        "SELECT record FROM journal WHERE kind = ? AND sequence BETWEEN ? AND ? ORDER BY sequence",
        (kind, first, last),
    )
    return (record.body for (content,) in rows if (record := decode_record(content)))


def _readable_ids(path: Path) -> Iterator[tuple[int, bytes]]:
    """Returns the ids that a damaged file still shows; those of waiting events are in their records too."""
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection,
    ):
        for span, event_id in connection.execute("SELECT epoch, event_id FROM recent_ids"):
            if isinstance(span, int) and isinstance(event_id, bytes) and len(event_id) == len(NO_EVENT_ID):
                yield span, event_id


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
