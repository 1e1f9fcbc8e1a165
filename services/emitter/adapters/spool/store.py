"""The spool's tables and what one transaction does to them; used by one thread at a time.

The positions say where every event is. They change in the same transaction as the rows, so a crash at any
point leaves each event in exactly one place. An event's row stays as it was acknowledged until Kafka has it;
a frame is an extent of rows whose bytes follow from them, held against the checksum that was sealed.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from services.contract.events import Kind
from services.contract.frame import Frame, seal
from services.emitter.adapters.spool import sqlite_file
from services.emitter.adapters.spool.opening import Opened, open_file
from services.emitter.adapters.spool.rebuilding import Lost, salvage
from services.emitter.adapters.spool.recent_ids import RecentIds
from services.emitter.adapters.spool.sqlite_file import LOCK_NAME, DamagedError
from services.emitter.adapters.spool.taken_times import TakenTimes
from services.emitter.domain.batching import Unsealed, events_to_seal
from services.emitter.domain.limits import SpoolFile, SpoolState, refuse_if_full
from services.emitter.domain.ports import Event, Taken
from services.emitter.domain.spool_format import (
    Position,
    Positions,
    Record,
    Sealed,
    decode_record,
    encode_record,
)
from services.emitter.domain.taking import sort_out
from services.kernel.errors import ComptoirError
from services.runtime import file_lock

FILE_NAME: Final = sqlite_file.FILE_NAME
# One transaction removes no more, so that the write-ahead log stays small.
_REMOVED_EVENTS: Final = 2_000
# The pages that move go through the write-ahead log, so few at a time.
_VACUUM_PAGES: Final = 200
_VACUUM_ROUNDS: Final = 16


class SpoolStore:
    """The open file. `take`, `frames`, `remove` and the partitions run inside a `transaction`."""

    producer_id: int
    state: SpoolState
    # What had to be given up to open the file.
    lost: tuple[Lost, ...]
    _connection: sqlite3.Connection
    _ids: RecentIds
    _generation: int
    # Replaced and never changed, so that an undone transaction has them back.
    _at: dict[Kind, Position]
    # As of the last commit, for other threads.
    _committed: dict[Kind, Position]
    # The bytes of frames that wait, so that a resend reads nothing again.
    _values: dict[tuple[Kind, int], Frame]
    _times: TakenTimes
    _measured: tuple[dict[Kind, Position], SpoolState]  # positions, and what they say
    _is_undone: bool

    def __init__(self, spool: SpoolFile) -> None:
        self._spool = spool
        spool.spool_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = file_lock.acquire(spool.spool_folder / LOCK_NAME)
        try:
            self._use(open_file(spool))
        except BaseException:
            os.close(self._lock)
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits what the block did, or undoes all of it if anything raises."""
        if self._is_undone:
            self._ids.load()
            self._is_undone = False
        before = self._at
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            if self._at != before:
                self._generation += 1
                positions = Positions(self._generation, self.producer_id, self._at)
                sqlite_file.write_positions(self._connection, positions)
            state = self._measure()
            self._connection.execute("COMMIT")
        except BaseException:
            self._at, self._is_undone = before, True
            self._values.clear()
            self._times.forget()
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.state, self._committed = state, self._at

    def take(
        self, batches: Sequence[Sequence[Event]], now_microseconds: int, now_seconds: float
    ) -> list[Taken | ComptoirError]:
        """Writes the new events of the batches to the journal; returns each one's refusal or numbers."""
        known = self._ids.known({event.event_id for batch in batches for event in batch})
        refuse = partial(refuse_if_full, self._measure(), self._spool, now_microseconds)
        fresh, outcomes = sort_out(batches, known, refuse)
        if fresh:
            self._ids.add([event.event_id for event in fresh], now_seconds)
        for kind in {event.kind for event in fresh}:
            self._append(kind, [event for event in fresh if event.kind is kind], now_microseconds)
        self._ids.prune()
        return outcomes

    def frames(self, kind: Kind, limit: int, now_microseconds: int, *, is_draining: bool) -> list[Frame]:
        """Seals what is due until `limit` frames wait, and returns the oldest `limit` frames.

        No more are sealed than can travel: the positions name them all, in every transaction.
        """
        while len(self._at[kind].frames) < limit:
            count = self._due(kind, now_microseconds, is_draining=is_draining)
            if count == 0:
                break
            self._seal(kind, count)
        return [self._frame(kind, sealed) for sealed in self._at[kind].frames[:limit]]

    def is_due(self, kind: Kind, now_microseconds: int) -> bool:
        """Returns False if `frames` would return none as of the last commit; any thread may ask."""
        at = self._committed[kind]
        oldest_at = self._times.remembered(kind, at.first_sequence)
        if at.frames or not at.unsealed or oldest_at is None:
            return at.events > 0
        return self._sealable(at, oldest_at, now_microseconds, is_draining=False) > 0

    def remove(self, last: Frame) -> bool:
        """Deletes frames up to `last`, the oldest first; true once none of them is left."""
        at = self._at[last.kind]
        due = [frame for frame in at.frames if frame.first_sequence <= last.first_sequence]
        removed = due[:1]
        for frame in due[1:]:
            if sum(each.count for each in removed) + frame.count > _REMOVED_EVENTS:
                break
            removed.append(frame)
        if not removed:
            return True
        up_to = (last.kind, removed[-1].last_sequence)
        self._connection.execute("DELETE FROM journal WHERE kind = ? AND sequence <= ?", up_to)
        for frame in removed:
            self._values.pop((last.kind, frame.first_sequence), None)
        size_bytes = at.size_bytes - sum(frame.size_bytes for frame in removed)
        self._move(replace(at, frames=at.frames[len(removed) :], size_bytes=size_bytes))
        return len(removed) == len(due)

    def partition(self, kind: Kind) -> int | None:
        """Returns the partition that was chosen for `kind`."""
        return self._at[kind].partition

    def choose_partition(self, kind: Kind, partition: int) -> None:
        """Writes the partition of `kind`."""
        self._move(replace(self._at[kind], partition=partition))

    def shrink(self) -> None:
        """Gives pages that hold nothing back to the disk, a bounded number at a time."""
        for _ in range(_VACUUM_ROUNDS):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if self._connection.execute("PRAGMA freelist_count").fetchone() == (0,):
                break
            # `execute` would take one step of it, which is one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")

    def salvage(self) -> tuple[Lost, ...]:
        """Puts what is whole of a damaged file into a new one and goes on with that.

        Raises what building it raises, and goes on with the old file then.
        """
        self._connection.close()
        try:
            lost = salvage(self._spool.spool_folder)
        finally:
            self._use(open_file(self._spool))
        return lost + self.lost

    def close(self) -> None:
        """Closes the file, which also lets another process open it."""
        self._connection.close()
        os.close(self._lock)

    def _use(self, opened: Opened) -> None:
        self._connection = opened.connection
        self.lost = opened.lost
        self.producer_id = opened.positions.producer_id
        self._generation = opened.positions.generation
        self._at = dict(opened.positions.by_kind)
        self._values, self._times = {}, TakenTimes(self._connection)
        self._measured = ({}, SpoolState(0, 0, 0))
        self._ids = RecentIds(self._connection, self._spool.remember_event_ids_seconds)
        self._is_undone = False
        self.state, self._committed = self._measure(), self._at

    def _move(self, to: Position) -> None:
        self._at = {**self._at, to.kind: to}

    def _measure(self) -> SpoolState:
        at_kinds, state = self._measured
        if at_kinds is self._at:
            return state
        waiting = [(at, events) for at in self._at.values() if (events := at.events)]
        oldest = [self._times.of(at.kind, at.first_sequence) for at, _ in waiting]
        state = SpoolState(
            events=sum(events for _, events in waiting),
            size_bytes=sum(at.size_bytes for at in self._at.values()),
            oldest_at_microseconds=min((taken_at for taken_at in oldest if taken_at), default=0),
            kinds=frozenset(at.kind for at, _ in waiting),
        )
        self._measured = (self._at, state)
        return state

    def _append(self, kind: Kind, events: Sequence[Event], now_microseconds: int) -> None:
        at = self._at[kind]
        records = [
            Record(
                kind,
                self.producer_id,
                sequence,
                now_microseconds,
                event.event_id,
                event.numbered(self.producer_id, sequence),
            )
            for sequence, event in enumerate(events, at.next_sequence)
        ]
        self._connection.executemany(
            "INSERT INTO journal (kind, sequence, record) VALUES (?, ?, ?)",
            [(kind, record.sequence, encode_record(record)) for record in records],
        )
        size_bytes = at.size_bytes + sum(len(record.body) for record in records)
        self._move(replace(at, next_sequence=at.next_sequence + len(records), size_bytes=size_bytes))

    def _due(self, kind: Kind, now_microseconds: int, *, is_draining: bool) -> int:
        at = self._at[kind]
        if at.unsealed == 0:
            return 0
        first, last = at.run()
        due = self._sealable(at, self._times.of(kind, first), now_microseconds, is_draining=is_draining)
        return min(due, last - first + 1)

    def _sealable(self, at: Position, oldest_at: int, now_microseconds: int, *, is_draining: bool) -> int:
        return events_to_seal(
            Unsealed(at.kind, count=at.unsealed, oldest_at_microseconds=oldest_at),
            self._spool,
            now_microseconds=now_microseconds,
            is_frame_waiting=bool(at.frames),
            is_draining=is_draining,
        )

    def _seal(self, kind: Kind, count: int) -> None:
        """Makes the oldest `count` unsealed events one frame."""
        at = self._at[kind]
        first, _ = at.run()
        bodies = self._bodies(kind, first, count)
        frame = seal(kind, self.producer_id, first, bodies)
        self._values[kind, first] = frame
        sealed = Sealed(first, count, frame.crc, frame.size_bytes)
        self._move(
            replace(
                at,
                sealed_through=sealed.last_sequence,
                frames=(*at.frames, sealed),
                gaps=tuple(gap for gap in at.gaps if gap[0] > sealed.last_sequence),
                size_bytes=at.size_bytes + frame.size_bytes - sum(map(len, bodies)),
            )
        )

    def _frame(self, kind: Kind, sealed: Sealed) -> Frame:
        """Returns a frame with the bytes that were sealed; DamagedError if they cannot be had again."""
        frame = self._values.get((kind, sealed.first_sequence))
        if frame is None:
            bodies = self._bodies(kind, sealed.first_sequence, sealed.count)
            frame = seal(kind, self.producer_id, sealed.first_sequence, bodies)
            if frame.crc != sealed.crc:
                raise DamagedError
            self._values[kind, sealed.first_sequence] = frame
        return frame

    def _bodies(self, kind: Kind, first: int, count: int) -> list[bytes]:
        """Returns the events of a span as they were acknowledged; DamagedError unless all are whole."""
        rows = self._connection.execute(
            "SELECT record FROM journal WHERE kind = ? AND sequence BETWEEN ? AND ? ORDER BY sequence",
            (kind, first, first + count - 1),
        )
        records = [decode_record(content) for (content,) in rows]
        whole = [
            record
            for sequence, record in enumerate(records, first)
            if record
            and (record.kind, record.producer_id, record.sequence) == (kind, self.producer_id, sequence)
        ]
        if len(whole) != count or len(records) != count:
            raise DamagedError
        return [record.body for record in whole]
