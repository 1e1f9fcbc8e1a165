"""Every terminal event is held here until the sink has made it durable."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

from services.generator.domain.ports import EventRefusedError, Sleep, UsageSink
from services.generator.domain.terminal_event import TerminalEvent
from services.kernel.backoff import Backoff
from services.kernel.errors import ComptoirError, Reason

_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 8.0


class UsageRecorder:
    """Records events in the background, so that no caller's going away can lose one.

    At most `max_unrecorded` events wait; while that many do, `is_full` says to take no new requests.
    `observe` is told of each event once, however often it has to be sent.
    """

    def __init__(
        self,
        sink: UsageSink,
        *,
        max_unrecorded: int,
        observe: Callable[[TerminalEvent], None] = lambda _event: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._sink = sink
        self._max_unrecorded = max_unrecorded
        self._observe = observe
        self._sleep = sleep
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused_events = 0
        self.failed_endings = 0

    @property
    def is_full(self) -> bool:
        """True if no more events may come into being."""
        return len(self._tasks) >= self._max_unrecorded

    @property
    def unrecorded(self) -> int:
        """Events and endings that are still under way."""
        return len(self._tasks)

    def record(self, event: TerminalEvent) -> asyncio.Future[None]:
        """Starts to record; the future ends when the event is durable, or fails if it is not in time.

        It fails with USAGE_NOT_RECORDED; the event is kept and tried again nevertheless.
        """
        self._observe(event)
        first_try: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be left to look at a failure; asyncio must not report it with its arguments.
        first_try.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.finish(self._record_until_durable(event, first_try))
        return first_try

    def finish(self, work: Coroutine[None, None, None]) -> None:
        """Does the rest of a generation's ending in the background; `settled` waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    async def settled(self, timeout_seconds: float) -> int:
        """Waits until nothing is under way or the time is over; returns what is left undone."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_seconds)
        return len(self._tasks)

    def give_up(self) -> None:
        """Drops what is left; for the end of the process only."""
        for task in self._tasks:
            task.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.failed_endings += 1

    async def _record_until_durable(self, event: TerminalEvent, first_try: asyncio.Future[None]) -> None:
        backoff = Backoff(_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            try:
                await self._sink.record(event)
            except ComptoirError:
                _fail(first_try)
            except EventRefusedError:
                self.refused_events += 1
                _fail(first_try)
                return
            else:
                if not first_try.done():
                    first_try.set_result(None)
                return
            # Whole: what spreads the attempts of many events is the sink, which sends them together.
            await self._sleep(backoff.next_seconds(jitter=0.0))


def _fail(first_try: asyncio.Future[None]) -> None:
    if not first_try.done():
        first_try.set_exception(ComptoirError(Reason.USAGE_NOT_RECORDED, retry_after_seconds=_PAUSE_SECONDS))
