"""Moves frames from the spool to the log: in order, never forgotten before the log confirmed them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

from services.contract.events import Kind
from services.emitter.domain.outage import Outage
from services.emitter.domain.ports import EventLog, LogUnavailableError, Spool
from services.kernel.backoff import Backoff
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.runtime.logs import get_logger
from services.runtime.metrics.registry import emitter as metrics
from services.runtime.parts import first_of
from services.runtime.telemetry import counter

_log = get_logger(__name__)

# Frames of one kind between the spool and the log's confirmation.
MAX_IN_FLIGHT: Final = 32
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0

Sleep = Callable[[float], Awaitable[None]]


class Forwarder:
    """One loop per kind; it holds nothing that the spool does not hold, so it may stop at any moment."""

    def __init__(
        self,
        spool: Spool,
        log: EventLog,
        *,
        clock: Clock,
        poll_seconds: Callable[[Kind], float],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._spool = spool
        self._log = log
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._sleep = sleep
        self._draining = asyncio.Event()
        self._partitions: dict[Kind, int] = {}
        self._backoffs = {kind: Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS) for kind in Kind}
        self._outage = Outage()
        self._forwarded = counter(metrics.FORWARDED)
        self._resent = counter(metrics.RESENT)

    async def run(self) -> None:
        """Forwards every kind until it is cancelled, or until nothing is left after `drain` began."""
        async with asyncio.TaskGroup() as group:
            for kind in Kind:
                group.create_task(self._run_kind(kind))

    async def drain(self, running: asyncio.Task[None], seconds: float) -> None:
        """Lets the task of `run` send what is left, small frames too, and ends it after `seconds`."""
        self._draining.set()
        await asyncio.wait({running}, timeout=seconds)
        running.cancel()
        await asyncio.wait({running})

    async def step(self, kind: Kind) -> int:
        """Forwards the oldest frames of one kind and returns their number of events.

        Raises LogUnavailableError or ComptoirError; nothing is lost, and the next step starts at the
        same frame.
        """
        if kind not in self._spool.state.kinds:
            return 0
        frames = await self._spool.frames(kind, limit=MAX_IN_FLIGHT, is_draining=self._draining.is_set())
        if not frames:
            return 0
        events = sum(frame.count for frame in frames)
        if self._backoffs[kind].failures:
            self._resent.add(events)
        await self._log.append(frames, await self._partition(kind))
        await self._spool.remove(frames[-1])
        self._forwarded.add(events)
        return events

    async def _run_kind(self, kind: Kind) -> None:
        while True:
            try:
                events = await self.step(kind)
            except (LogUnavailableError, ComptoirError) as error:
                await self._pause(kind, error)
                continue
            self._note_success(kind)
            if events == 0 and self._draining.is_set():
                return
            if events == 0:
                await self._rest(self._until_turn(kind))

    def _until_turn(self, kind: Kind) -> float:
        """Returns the seconds to the kind's next turn; the turns of all kinds fall together.

        So what they ask of the spool shares a transaction, and their frames share a request to the log.
        """
        poll_seconds = self._poll_seconds(kind)
        return poll_seconds - self._clock.monotonic_seconds() % poll_seconds

    async def _pause(self, kind: Kind, error: Exception) -> None:
        backoff = self._backoffs[kind]
        wait_seconds = backoff.next_seconds(jitter=random.random())  # noqa: S311 - spreads retries
        cause = getattr(error, "error_type", "") or type(error).__name__
        if self._outage.fail(kind, cause, self._clock.monotonic_seconds()):
            _log.warning("forwarding_failed", kind=kind.name, error_type=cause)
        await self._rest(wait_seconds)

    def _note_success(self, kind: Kind) -> None:
        backoff = self._backoffs[kind]
        if not backoff.failures:
            return
        backoff.reset()
        ended = self._outage.succeed(kind, self._clock.monotonic_seconds())
        if ended is not None:
            duration_seconds = round(ended.duration_seconds, 3)
            _log.info("forwarding_works_again", count=ended.attempts, duration_seconds=duration_seconds)

    async def _rest(self, seconds: float) -> None:
        """Sleeps; a drain that begins meanwhile ends the sleep."""
        if self._draining.is_set():
            await self._sleep(seconds)
            return
        await first_of(self._sleep(seconds), self._draining.wait())

    async def _partition(self, kind: Kind) -> int:
        """Returns the kind's partition: chosen once, so that a resend lands behind the first send."""
        if (known := self._partitions.get(kind)) is not None:
            return known
        chosen = await self._spool.partition(kind)
        if chosen is None:
            chosen = self._spool.producer_id % await self._log.partitions(kind)
            await self._spool.choose_partition(kind, chosen)
        self._partitions[kind] = chosen
        return chosen
