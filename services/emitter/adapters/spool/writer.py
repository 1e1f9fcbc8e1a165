"""The durable spool: SQLite behind one writer thread that commits all waiting calls together."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.adapters.spool import sqlite_file
from services.emitter.adapters.spool.call_queue import Call, CallQueue, Pause, until_awaited
from services.emitter.adapters.spool.rebuilding import Lost, NothingToSaveError
from services.emitter.adapters.spool.reserve import Reserve
from services.emitter.adapters.spool.starting import start
from services.emitter.domain.limits import RETRY_AFTER_SECONDS, SpoolFile, SpoolState
from services.emitter.domain.ports import Event, Taken
from services.emitter.domain.spacing import Spacing
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.logs import get_logger, log_failure
from services.runtime.metrics.registry import emitter as metrics
from services.runtime.telemetry import counter

_log = get_logger(__name__)

# How often a disk without room is asked whether it has some again.
_RESERVE_SECONDS: Final = 1.0

# Nothing is dropped to make room.
_NO_ROOM: Final = ComptoirError(Reason.SPOOL_FULL, retry_after_seconds=RETRY_AFTER_SECONDS)

Result = TypeVar("Result")


class SqliteSpool:
    """A `Spool` in one file. A failure of the disk refuses the calls of one transaction and no more.

    Group commit: while one transaction reaches the disk, calls queue; the next transaction takes them all
    and one flush acknowledges them. Where calls come closely, the thread pauses between two transactions
    (`spacing.py`), so that more of them share one. `max_waiting_calls` bounds that queue; beyond it calls are
    refused.

    On a full disk events are refused, and the reserve is given back to the disk for the work that empties
    the spool; nothing is taken until it could be made again.
    """

    def __init__(
        self,
        spool: SpoolFile,
        clock: Clock,
        *,
        max_waiting_calls: int = 4_096,
        pause: Pause = until_awaited,
    ) -> None:
        self._reserve = Reserve(spool.spool_folder)
        self._store = start(spool, self._reserve)
        self._clock = clock
        self._max_waiting_calls = max_waiting_calls
        self._spacing = Spacing()
        self._is_refusing = False
        self._next_reserve_at = 0.0
        self._lost = counter(metrics.LOST)
        self._tell_lost(self._store.lost)
        self._calls = CallQueue(pause)
        self._loop = asyncio.get_running_loop()
        self._writer = threading.Thread(target=self._write, name="spool-writer", daemon=True)
        self._writer.start()

    @property
    def producer_id(self) -> int:
        """64 random bits, made with the file."""
        return self._store.producer_id

    @property
    def state(self) -> SpoolState:
        """What waits, as of the last commit."""
        return self._store.state

    def take(self, events: Sequence[Event]) -> "asyncio.Future[Taken]":
        """Takes all events or none; the future has its result after the commit."""
        if self._calls.size >= self._max_waiting_calls:
            return _failed(ComptoirError(Reason.SPOOL_FULL, retry_after_seconds=RETRY_AFTER_SECONDS))
        return self._do(lambda: Taken(0, 0), events)

    async def frames(self, kind: Kind, *, limit: int, is_draining: bool = False) -> Sequence[Frame]:
        """Seals what is due and returns the oldest frames of `kind`; no transaction where nothing is due."""
        if not is_draining and not self._store.is_due(kind, self._clock.wall_microseconds()):
            return ()
        return await self._do(
            lambda: self._store.frames(kind, limit, self._clock.wall_microseconds(), is_draining=is_draining)
        )

    async def remove(self, last: Frame) -> None:
        """Forgets `last` and the frames of its kind before it, a bounded number in a transaction."""
        while not await self._do(lambda: self._store.remove(last)):
            pass

    async def partition(self, kind: Kind) -> int | None:
        """Returns the partition chosen for `kind`, or None."""
        return await self._do(lambda: self._store.partition(kind))

    async def choose_partition(self, kind: Kind, partition: int) -> None:
        """Remembers the partition of `kind`."""
        await self._do(lambda: self._store.choose_partition(kind, partition))

    async def close(self) -> None:
        """Commits what waits, ends the thread and closes the file."""
        self._calls.end()
        await asyncio.to_thread(self._writer.join)
        self._store.close()

    def _do(self, work: Callable[[], Result], events: Sequence[Event] = ()) -> "asyncio.Future[Result]":
        done: asyncio.Future[Result] = self._loop.create_future()
        self._calls.put(Call(work, done, events))
        return done

    def _write(self) -> None:
        """Runs in the writer thread: one transaction after the other until it is told to end."""
        is_ending = False
        while not is_ending:
            calls, is_ending = self._calls.take()
            if calls:
                self._commit(calls)
                self._loop.call_soon_threadsafe(_tell, calls)
                if (pause_seconds := self._pause_seconds(calls)) and not is_ending:
                    self._calls.pause(pause_seconds)

    def _pause_seconds(self, calls: Sequence[Call]) -> float:
        """Returns how long the next calls are gathered; where no more fit into a transaction, they are."""
        sizes = [len(call.events) for call in calls if call.events]
        if not sizes or self._calls.is_group_full:
            return 0.0
        return self._spacing.pause_seconds(sizes, self._clock.monotonic_seconds())

    def _commit(self, calls: Sequence[Call]) -> None:
        possible = calls if self._has_reserve() else _refused(calls)
        failure = self._transact(possible)
        if failure is not None and sqlite_file.is_damage(failure) and self._is_salvaged():
            failure = self._transact(possible)
        if failure is not None and sqlite_file.is_full(failure):
            self._forward_from_reserve(_refused(possible))
        elif failure is not None:
            log_failure(_log, "spool_failed", failure)
            for call in possible:
                call.failure = ComptoirError(
                    Reason.USAGE_NOT_RECORDED, retry_after_seconds=RETRY_AFTER_SECONDS
                )
        self._say_whether_there_is_room(calls)

    def _transact(self, calls: Sequence[Call]) -> Exception | None:
        """Does the calls in one transaction; returns what undid all of it."""
        if not calls:
            return None
        try:
            with self._store.transaction():
                for call in calls:
                    call.failure = None
                    call.result = call.work()
                self._take([call for call in calls if call.events])
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it and the thread live
            return error
        return None

    def _take(self, calls: Sequence[Call]) -> None:
        """Takes the events of all calls at once: what a transaction costs, it costs for all of them."""
        if not calls:
            return
        clock = self._clock
        batches = [call.events for call in calls]
        outcomes = self._store.take(batches, clock.wall_microseconds(), clock.monotonic_seconds())
        for call, outcome in zip(calls, outcomes, strict=True):
            if isinstance(outcome, ComptoirError):
                call.failure = outcome
            else:
                call.result = outcome

    def _forward_from_reserve(self, calls: Sequence[Call]) -> None:
        """Gives the reserve to the calls that empty the spool, one by one; then takes it back if it can."""
        if not calls:
            return
        self._reserve.release()
        for call in calls:
            self._try_to(self._store.shrink)
            if self._transact([call]) is not None:
                call.failure = _NO_ROOM
        self._try_to(self._store.shrink)

    def _has_reserve(self) -> bool:
        """Returns whether space is kept for forwarding; asks the disk for it now and then where it is not."""
        now = self._clock.monotonic_seconds()
        if self._reserve.is_there or now < self._next_reserve_at:
            return self._reserve.is_there
        self._next_reserve_at = now + _RESERVE_SECONDS
        self._try_to(self._store.shrink)
        return self._reserve.make()

    def _is_salvaged(self) -> bool:
        failure = self._try_to(lambda: self._tell_lost(self._store.salvage()))
        if failure is not None:
            log_failure(_log, "spool_damage_not_mended", failure)
        return failure is None

    def _tell_lost(self, lost: Sequence[Lost]) -> None:
        for each in lost:
            self._lost.add(each.count, {"kind": each.kind.label})
            _log.error(
                "spool_events_lost",
                kind=each.kind.name,
                first_sequence=each.first_sequence,
                count=each.count,
            )

    def _say_whether_there_is_room(self, calls: Sequence[Call]) -> None:
        """Says it when events are refused for lack of room, and when some were taken afterwards."""
        if not self._is_refusing and any(call.failure is _NO_ROOM for call in calls):
            self._is_refusing = True
            _log.error("spool_disk_full")
        elif self._is_refusing and any(call.events and call.failure is None for call in calls):
            self._is_refusing = False
            _log.info("spool_disk_has_room_again")

    @staticmethod
    def _try_to(work: Callable[[], Any]) -> Exception | None:
        try:
            work()
        except (sqlite3.Error, OSError, NothingToSaveError, sqlite_file.DamagedError) as error:
            return error
        return None


def _refused(calls: Sequence[Call]) -> list[Call]:
    """Refuses the calls that take events; returns the others."""
    for call in calls:
        if call.events:
            call.failure = _NO_ROOM
    return [call for call in calls if not call.events]


def _failed(error: ComptoirError) -> "asyncio.Future[Any]":
    refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    refused.set_exception(error)
    return refused


def _tell(calls: Sequence[Call]) -> None:
    """Resolves the callers' futures; a caller that went away meanwhile is not told."""
    for call in calls:
        if call.done.done():
            continue
        if call.failure is None:
            call.done.set_result(call.result)
        else:
            refusal = call.failure
            again = ComptoirError(refusal.reason, retry_after_seconds=refusal.retry_after_seconds)
            call.done.set_exception(again)  # one each: an exception keeps the traces of all who raised it
