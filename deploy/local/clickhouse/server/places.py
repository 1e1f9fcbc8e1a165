"""Places in which requests run: bounded, with a thread each, and a bounded wait before them.

Readers and the writer have places of their own, so that nothing a reader does keeps an insert out.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from deploy.local.clickhouse.domain.errors import TOO_MANY_QUERIES, StoreError

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class PlaceBounds:
    """How many requests run and wait, and for how long; `setting` is what the first is called."""

    setting: str
    max_running: int
    max_waiting: int
    max_wait_seconds: float


class Places:
    """The places of one kind of user."""

    def __init__(self, bounds: PlaceBounds) -> None:
        self._bounds = bounds
        self._slots = asyncio.Semaphore(bounds.max_running)
        self._inside = 0
        self._engine = ThreadPoolExecutor(bounds.max_running, thread_name_prefix="engine")
        self._wire = ThreadPoolExecutor(1, thread_name_prefix="wire")

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Counts a request among those that may be read, wait, run and be answered; raises StoreError."""
        bounds = self._bounds
        if self._inside >= bounds.max_running + bounds.max_waiting:
            raise StoreError.refused(
                TOO_MANY_QUERIES,
                f"Too many simultaneous queries. {bounds.setting} = {bounds.max_running} may run and"
                f" max_waiting_queries = {bounds.max_waiting} may wait; try again.",
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
            async with asyncio.timeout(self._bounds.max_wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise StoreError.refused(
                TOO_MANY_QUERIES,
                f"Too many simultaneous queries. None of {self._bounds.setting} = {self._bounds.max_running}"
                f" ended within max_wait_seconds = {self._bounds.max_wait_seconds:g}; try again.",
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
