"""Places in which requests run: bounded, with a thread each, and a bounded wait before them.

Readers and the writer have places of their own, so that nothing a reader does keeps an insert out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import ParamSpec, TypeVar

from deploy.local.clickhouse.domain.errors import TOO_MANY_QUERIES, StoreError
from deploy.local.clickhouse.domain.limits import FrontLimits

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Places:
    """The places of one kind of user, as many as the limit that is called `setting` says."""

    def __init__(self, setting: str, limits: FrontLimits) -> None:
        self._setting, self._limits = setting, limits
        self._max_running: int = getattr(limits, setting)
        self._slots = asyncio.Semaphore(self._max_running)
        self._inside = 0
        self._engine = ThreadPoolExecutor(self._max_running, thread_name_prefix="engine")
        self._wire = ThreadPoolExecutor(1, thread_name_prefix="wire")

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Counts a request among those that may be read, wait, run and be answered; raises StoreError."""
        max_waiting = self._limits.max_waiting_queries
        if self._inside >= self._max_running + max_waiting:
            raise StoreError.refused(
                TOO_MANY_QUERIES,
                f"Too many simultaneous queries. {self._setting} = {self._max_running} may run and"
                f" max_waiting_queries = {max_waiting} may wait; try again.",
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Waits in order for a place; StoreError if none gets free in time."""
        try:
            async with asyncio.timeout(self._limits.max_wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise StoreError.refused(
                TOO_MANY_QUERIES,
                f"Too many simultaneous queries. None of {self._setting} = {self._max_running}"
                f" ended within max_wait_seconds = {self._limits.max_wait_seconds:g}; try again.",
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    async def call(
        self, work: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """Runs `work` in a thread, to its end if the caller is cancelled: no engine call is left halfway."""
        future = asyncio.get_running_loop().run_in_executor(self._engine, lambda: work(*arguments, **named))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            future.exception()
            raise

    async def read(
        self, work: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result:
        """Runs `work` on what a client sent, one after another in a thread that no query occupies."""
        return await asyncio.get_running_loop().run_in_executor(self._wire, lambda: work(*arguments, **named))

    def close(self) -> None:
        """Ends the threads."""
        self._engine.shutdown()
        self._wire.shutdown()
