"""The spool's tables in one SQLite file, and what one transaction does to them; used by one thread at a time.

Three numbers per kind say where every event is: events up to `removed_through` are in Kafka, those up to
`sealed_through` in a frame, those below `next_sequence` in the journal. They change in the same transaction
as the rows, so a crash at any point leaves each event in exactly one place.
"""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from services.emitter.adapters import recent_ids
from services.emitter.adapters.recent_ids import RecentIds
from services.emitter.domain.batching import Unsealed, events_to_seal
from services.emitter.domain.frame import Frame, Kind, seal
from services.emitter.domain.limits import SpoolFile, SpoolState, refuse_if_full
from services.emitter.domain.ports import Event, Taken

FILE_NAME = "spool.sqlite3"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kinds (
  kind INTEGER PRIMARY KEY, next_sequence INTEGER NOT NULL, sealed_through INTEGER NOT NULL,
  removed_through INTEGER NOT NULL, size_bytes INTEGER NOT NULL, kafka_partition INTEGER);
CREATE TABLE IF NOT EXISTS journal (
  kind INTEGER NOT NULL, sequence INTEGER NOT NULL, taken_at INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (kind, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS frames (
  kind INTEGER NOT NULL, first_sequence INTEGER NOT NULL, count INTEGER NOT NULL, crc INTEGER NOT NULL,
  oldest_at INTEGER NOT NULL, sealed_at INTEGER NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (kind, first_sequence));
"""


@dataclass(frozen=True, slots=True)
class _Position:
    """One row of `kinds`."""

    kind: Kind
    next_sequence: int = 1
    sealed_through: int = 0
    removed_through: int = 0
    size_bytes: int = 0
    partition: int | None = None


class SpoolStore:
    """The open file. Every method but `transaction`, `state` and `close` runs inside a transaction."""

    def __init__(self, spool: SpoolFile) -> None:
        self._spool = spool
        self._connection = _open(spool)
        self.producer_id = self._load_producer_id()
        self._positions: dict[Kind, _Position] = {}
        self._ids = RecentIds(self._connection, spool.remember_ids_seconds)
        self._load()
        self.state = self._measure()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits what the block did, or undoes all of it if anything raises."""
        if not self._positions:
            self._load()
            self._ids.load()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            state = self._measure()
            self._connection.execute("COMMIT")
        except BaseException:
            self._positions = {}  # they may be ahead of the tables; the next transaction reads them again
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.state = state

    def take(self, events: Sequence[Event], now_microseconds: int, now_seconds: float) -> Taken:
        """Writes the new events to the journal; SPOOL_FULL, before any write, if there is no room."""
        fresh = self._fresh(events)
        if fresh:
            incoming_bytes = sum(event.size_bytes for event in fresh.values())
            refuse_if_full(
                self._measure(),
                self._spool.limits,
                incoming_bytes=incoming_bytes,
                now_microseconds=now_microseconds,
            )
            self._ids.add(fresh, now_seconds)
            for kind in Kind:
                self._append(kind, [e for e in fresh.values() if e.kind is kind], now_microseconds)
        self._ids.prune()
        return Taken(accepted=len(fresh), duplicates=len(events) - len(fresh))

    def frames(self, kind: Kind, limit: int, now_microseconds: int, *, is_draining: bool) -> list[Frame]:
        """Seals what is due, at most `limit` frames, and returns the oldest `limit` frames."""
        for _ in range(limit):
            count = self._due(kind, now_microseconds, is_draining=is_draining)
            if count == 0:
                break
            self._seal(kind, count, now_microseconds)
        # Not decoded: bytes that the disk has spoilt go to the reader, who sets them aside by their checksum.
        rows = self._connection.execute(
            "SELECT first_sequence, count, crc, value FROM frames WHERE kind = ?"
            " ORDER BY first_sequence LIMIT ?",
            (kind, limit),
        )
        return [Frame(kind, self.producer_id, *row) for row in rows]

    def remove(self, last: Frame) -> None:
        """Deletes `last` and the frames of its kind before it."""
        up_to = (last.kind, last.first_sequence)
        (freed,) = self._connection.execute(
            "SELECT coalesce(sum(length(value)), 0) FROM frames WHERE kind = ? AND first_sequence <= ?", up_to
        ).fetchone()
        self._connection.execute("DELETE FROM frames WHERE kind = ? AND first_sequence <= ?", up_to)
        at = self._positions[last.kind]
        removed_through = max(at.removed_through, last.last_sequence)
        self._move(replace(at, removed_through=removed_through, size_bytes=at.size_bytes - freed))

    def partition(self, kind: Kind) -> int | None:
        """The partition that was chosen for `kind`."""
        return self._positions[kind].partition

    def choose_partition(self, kind: Kind, partition: int) -> None:
        """Writes the partition of `kind`."""
        self._move(replace(self._positions[kind], partition=partition))

    def close(self) -> None:
        """Closes the file, which also lets another process open it."""
        self._connection.close()

    def _load_producer_id(self) -> int:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            row = self._connection.execute("SELECT value FROM meta WHERE name = 'producer_id'").fetchone()
            value: bytes = row[0] if row else (secrets.randbits(64) | 1).to_bytes(8, "big")
            self._connection.execute(
                "INSERT OR IGNORE INTO meta (name, value) VALUES ('producer_id', ?)", (value,)
            )
        return int.from_bytes(value, "big")

    def _load(self) -> None:
        rows = self._connection.execute(
            "SELECT kind, next_sequence, sealed_through, removed_through, size_bytes, kafka_partition"
            " FROM kinds"
        )
        stored = {Kind(row[0]): _Position(Kind(row[0]), *row[1:]) for row in rows}
        self._positions = {kind: stored.get(kind, _Position(kind)) for kind in Kind}

    def _move(self, to: _Position) -> None:
        self._positions[to.kind] = to
        self._connection.execute(
            "INSERT OR REPLACE INTO kinds (kind, next_sequence, sealed_through, removed_through, size_bytes,"
            " kafka_partition) VALUES (?, ?, ?, ?, ?, ?)",
            (to.kind, to.next_sequence, to.sealed_through, to.removed_through, to.size_bytes, to.partition),
        )

    def _measure(self) -> SpoolState:
        positions = self._positions.values()
        oldest = [at for position in positions if (at := self._oldest_at(position))]
        return SpoolState(
            events=sum(at.next_sequence - 1 - at.removed_through for at in positions),
            size_bytes=sum(at.size_bytes for at in positions),
            oldest_at_microseconds=min(oldest, default=0),
        )

    def _oldest_at(self, at: _Position) -> int:
        """When the oldest waiting event of a kind was taken; 0 if none waits."""
        if at.sealed_through > at.removed_through:
            query = "SELECT oldest_at FROM frames WHERE kind = ? AND first_sequence = ?"
        else:
            query = "SELECT taken_at FROM journal WHERE kind = ? AND sequence = ?"
        row = self._connection.execute(query, (at.kind, at.removed_through + 1)).fetchone()
        return int(row[0]) if row else 0

    def _fresh(self, events: Sequence[Event]) -> dict[bytes, Event]:
        """The events whose ids are not remembered, one per id, in order."""
        by_id = {event.event_id: event for event in reversed(events)}
        for event_id in self._ids.known(by_id):
            del by_id[event_id]
        return dict(reversed(by_id.items()))

    def _append(self, kind: Kind, events: Sequence[Event], now_microseconds: int) -> None:
        if not events:
            return
        at = self._positions[kind]
        numbered = [
            event.numbered(self.producer_id, at.next_sequence + index) for index, event in enumerate(events)
        ]
        self._connection.executemany(
            "INSERT INTO journal (kind, sequence, taken_at, body) VALUES (?, ?, ?, ?)",
            [(kind, at.next_sequence + i, now_microseconds, body) for i, body in enumerate(numbered)],
        )
        size_bytes = at.size_bytes + sum(map(len, numbered))
        self._move(replace(at, next_sequence=at.next_sequence + len(numbered), size_bytes=size_bytes))

    def _due(self, kind: Kind, now_microseconds: int, *, is_draining: bool) -> int:
        at = self._positions[kind]
        first = at.sealed_through + 1
        row = self._connection.execute(
            "SELECT taken_at FROM journal WHERE kind = ? AND sequence = ?", (kind, first)
        ).fetchone()
        return events_to_seal(
            Unsealed(count=at.next_sequence - first, oldest_at_microseconds=row[0] if row else 0),
            self._spool.seal,
            now_microseconds=now_microseconds,
            is_frame_waiting=at.sealed_through > at.removed_through,
            is_draining=is_draining,
        )

    def _seal(self, kind: Kind, count: int, now_microseconds: int) -> None:
        """Moves the oldest `count` events of the journal into one frame."""
        at = self._positions[kind]
        span = (kind, at.sealed_through + 1, at.sealed_through + count)
        rows = self._connection.execute(
            "SELECT taken_at, body FROM journal WHERE kind = ? AND sequence BETWEEN ? AND ?"
            " ORDER BY sequence",
            span,
        ).fetchall()
        frame = seal(kind, self.producer_id, at.sealed_through + 1, [body for _, body in rows])
        self._connection.execute(
            "INSERT INTO frames (kind, first_sequence, count, crc, oldest_at, sealed_at, value)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                kind,
                frame.first_sequence,
                frame.count,
                frame.crc,
                min(taken_at for taken_at, _ in rows),
                now_microseconds,
                frame.value,
            ),
        )
        self._connection.execute("DELETE FROM journal WHERE kind = ? AND sequence BETWEEN ? AND ?", span)
        added = len(frame.value) - sum(len(body) for _, body in rows)
        sealed_through = at.sealed_through + count
        self._move(replace(at, sealed_through=sealed_through, size_bytes=at.size_bytes + added))


def _open(spool: SpoolFile) -> sqlite3.Connection:
    """Opens or makes the file, for this process alone."""
    spool.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = spool.folder / FILE_NAME
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        # Exclusive: a second emitter on the same spool would give out the same sequences again.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if spool.is_flushed else 'NORMAL'}")
        connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")
        connection.executescript(_SCHEMA + recent_ids.SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
