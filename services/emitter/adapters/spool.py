"""The durable spool: SQLite behind one writer thread that commits all waiting calls together."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from services.emitter.adapters.spool_store import SpoolStore
from services.emitter.domain.frame import Frame, Kind
from services.emitter.domain.limits import RETRY_AFTER_SECONDS, SpoolFile, SpoolState
from services.emitter.domain.ports import Event, Taken
from services.runtime.clock import Clock
from services.runtime.errors import ComptoirError, Reason
from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)

# One transaction takes at most this many calls, so that the first of them does not wait for ever.
_GROUP_CALLS = 256

Result = TypeVar("Result")


class SpoolUnusableError(Exception):
    """The spool cannot be opened; the text is one sentence that says why."""


@dataclass(slots=True)
class _Call:
    """One caller's work and the future that tells its result."""

    work: Callable[[], Any]
    done: "asyncio.Future[Any]"
    result: Any = None
    failure: Exception | None = None


class SqliteSpool:
    """A `Spool` in one file. A failure of the disk refuses the calls of one transaction and no more.

    Group commit: while one transaction reaches the disk, calls queue; the next transaction takes them all
    and one flush acknowledges them. `max_waiting_calls` bounds that queue; beyond it calls are refused.
    """

    def __init__(self, spool: SpoolFile, clock: Clock, *, max_waiting_calls: int = 4_096) -> None:
        try:
            self._store = SpoolStore(spool)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise SpoolUnusableError("another process has the spool open; stop it first.") from None
            raise SpoolUnusableError("the spool cannot be opened; is its folder writable?") from None
        except (sqlite3.Error, OSError):
            raise SpoolUnusableError(
                "the spool cannot be read; move its folder away and start again."
            ) from None
        self._clock = clock
        self._max_waiting_calls = max_waiting_calls
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
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

    async def take(self, events: Sequence[Event]) -> Taken:
        """Takes all events or none; returns after the commit."""
        if self._calls.qsize() >= self._max_waiting_calls:
            raise ComptoirError(Reason.SPOOL_FULL, retry_after_seconds=RETRY_AFTER_SECONDS)
        clock = self._clock
        return await self._do(
            lambda: self._store.take(events, clock.wall_microseconds(), clock.monotonic_seconds())
        )

    async def frames(self, kind: Kind, *, limit: int, is_draining: bool = False) -> Sequence[Frame]:
        """Seals what is due and returns the oldest frames of `kind`."""
        return await self._do(
            lambda: self._store.frames(kind, limit, self._clock.wall_microseconds(), is_draining=is_draining)
        )

    async def remove(self, last: Frame) -> None:
        """Forgets `last` and the frames of its kind before it."""
        await self._do(lambda: self._store.remove(last))

    async def partition(self, kind: Kind) -> int | None:
        """The partition chosen for `kind`, or None."""
        return await self._do(lambda: self._store.partition(kind))

    async def choose_partition(self, kind: Kind, partition: int) -> None:
        """Remembers the partition of `kind`."""
        await self._do(lambda: self._store.choose_partition(kind, partition))

    async def close(self) -> None:
        """Commits what waits, ends the thread and closes the file."""
        self._calls.put(None)
        await asyncio.to_thread(self._writer.join)
        self._store.close()

    async def _do(self, work: Callable[[], Result]) -> Result:
        call = _Call(work, self._loop.create_future())
        self._calls.put(call)
        result: Result = await call.done
        return result

    def _write(self) -> None:
        """The writer thread: one transaction after the other until it is told to end."""
        is_ending = False
        while not is_ending:
            group = [self._calls.get()]
            while len(group) < _GROUP_CALLS and group[-1] is not None and not self._calls.empty():
                group.append(self._calls.get())
            is_ending = group[-1] is None
            calls = [call for call in group if call is not None]
            if calls:
                self._commit(calls)
                self._loop.call_soon_threadsafe(_tell, calls)

    def _commit(self, calls: Sequence[_Call]) -> None:
        try:
            with self._store.transaction():
                for call in calls:
                    _run(call)
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers must hear of it and the thread live
            log_failure(_log, "spool_failed", error)
            for call in calls:
                call.failure = _refusal(error)


def _run(call: _Call) -> None:
    try:
        call.result = call.work()
    except ComptoirError as refusal:
        # Raised before the call wrote anything, so the others of the transaction are not concerned.
        call.failure = refusal


def _refusal(error: Exception) -> ComptoirError:
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_FULL:
        return ComptoirError(Reason.SPOOL_FULL, retry_after_seconds=RETRY_AFTER_SECONDS)
    return ComptoirError(Reason.USAGE_NOT_RECORDED, retry_after_seconds=RETRY_AFTER_SECONDS)


def _tell(calls: Sequence[_Call]) -> None:
    """Resolves the callers' futures; a caller that went away meanwhile is not told."""
    for call in calls:
        if call.done.done():
            continue
        if call.failure is None:
            call.done.set_result(call.result)
        else:
            call.done.set_exception(call.failure)
