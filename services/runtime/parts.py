"""What a process does side by side: parts that end with it, and works of which the first to end counts."""

import asyncio
from collections.abc import Awaitable, Coroutine
from functools import partial
from typing import Any, TypeVar

from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)

Result = TypeVar("Result")


class PartEndedError(Exception):
    """A part came to its end while the process was not told to stop; the text is one sentence."""


class Parts:
    """Tasks that run for as long as their process: one that ends before the stop ends the process."""

    def __init__(self) -> None:
        self._names: dict[asyncio.Task[Any], str] = {}
        self._failure: BaseException | None = None

    def run(self, name: str, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Starts a part; a failure is logged under its name at once, also while the process drains."""
        task = asyncio.create_task(work, name=name)
        self._names[task] = name
        task.add_done_callback(partial(self._note_end, name))
        return task

    async def until_stopped(self, stop: asyncio.Event) -> None:
        """Returns at the stop; before it, raises what a part failed with, PartEndedError if it just ended."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            done, _ = await asyncio.wait({stopped, *self._names}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for task in done - {stopped}:
            task.result()
            raise PartEndedError(f"its part {self._names[task]} ended, which should run until the stop.")

    async def end(self) -> None:
        """Cancels what still runs and returns once all of it has ended; raises what a part failed with."""
        for task in self._names:
            task.cancel()
        await asyncio.gather(*self._names, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def _note_end(self, name: str, task: asyncio.Task[Any]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            self._failure = self._failure or failure
            log_failure(_log, "part_failed", failure, kind=name)


async def first_of(*works: Awaitable[object], within_seconds: float | None = None) -> None:
    """Returns when one of `works` has ended, or after `within_seconds`; the others are cancelled then.

    Their end is waited for. Raises what any of them raised, also if it did so when it was cancelled.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, timeout=within_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled():
            task.result()
