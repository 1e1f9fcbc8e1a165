"""Measures on a timer how far the store is behind the log, and tells store, metrics and readiness."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

from pipelines.usage.consumer.keeper import Ports
from pipelines.usage.consumer.standing import Standing
from pipelines.usage.domain.clocks import Stamp
from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.domain.ports import KindProgress, Lag, Partition
from pipelines.usage.domain.rules import Rules
from services.contract.events import KIND_OF_TOPIC, Kind
from services.kernel.readiness import Readiness
from services.runtime.logs import get_logger
from services.runtime.parts import first_of

_log = get_logger(__name__)

_MICROSECONDS: Final = 1_000_000
_STORE_SECONDS: Final = 10.0
# Nobody is ready before the first measurement, and a broker that starts does not answer the first question.
_FIRST_AGAIN_SECONDS: Final = 0.5

Answer = TypeVar("Answer")


class Watch:
    """Runs beside the loop from start to end; what does not answer is asked again the next time."""

    def __init__(self, ports: Ports, rules: Rules, standing: Standing) -> None:
        self._ports = ports
        self._rules = rules
        self._standing = standing
        self._lags: Sequence[Lag] = ()
        # Until when each partition was known to be stored, for when its first record cannot be read.
        self._known: dict[Partition, Stamp] = {}
        # The store has what entered the log before this moment, by the clock in the middle.
        self._stored_until: int | None = None
        self._told: Readiness | None = None

    async def run(self, stop: asyncio.Event, on_ready: Callable[[Readiness], Awaitable[None]]) -> None:
        """Measures until `stop`; tells `on_ready` the state then, and as soon as the loop changes it."""
        while not stop.is_set():
            await self.measure()
            due_seconds = self._ports.clock.monotonic_seconds() + self._pause_seconds()
            while not stop.is_set():
                await self.tell(on_ready)
                left_seconds = due_seconds - self._ports.clock.monotonic_seconds()
                if left_seconds <= 0 or not await self._is_changed_within(left_seconds, stop):
                    break

    def _pause_seconds(self) -> float:
        every_seconds = self._rules.measure_every_seconds
        return min(every_seconds, _FIRST_AGAIN_SECONDS) if self._stored_until is None else every_seconds

    async def _is_changed_within(self, seconds: float, stop: asyncio.Event) -> bool:
        """Returns True once the loop says that something changed; False after `seconds`, or at the stop."""
        await first_of(self._standing.changed.wait(), stop.wait(), within_seconds=seconds)
        is_changed = self._standing.changed.is_set()
        self._standing.changed.clear()
        return is_changed

    async def measure(self) -> None:
        """Does one round: the store's clock, the log's ends, and what follows from them."""
        with contextlib.suppress(UnavailableError):
            await self.ask_store_clock()
        try:
            lags = await self._ports.lag.measure()
        except UnavailableError:
            self._standing.is_log_away = True
        else:
            self._standing.is_log_away = False
            self._note(lags)
        self._update()
        if self._stored_until is not None:
            with contextlib.suppress(UnavailableError):
                await _bounded(self._ports.store.note_progress(self._progress()))

    async def ask_store_clock(self) -> None:
        """Asks what the store's clock reads, as is done before the first insert too; UnavailableError."""
        microseconds = await _bounded(self._ports.store.clock())
        now_seconds = self._ports.clock.monotonic_seconds()
        self._standing.clocks.saw_store(microseconds, monotonic_seconds=now_seconds)

    async def tell(self, on_ready: Callable[[Readiness], Awaitable[None]]) -> None:
        """Hands on the state, and logs it where it is another one."""
        state = self._standing.readiness()
        if self._told is None or not state.is_same_state(self._told):
            self._say(state)
        self._told = state
        await on_ready(state)

    def _say(self, state: Readiness) -> None:
        if state.is_ready:
            _log.info("ready")
            return
        _log.warning(
            "unready",
            reason=state.reason.name.lower(),
            count=self._standing.waiting_frames,
            behind_seconds=round(self._standing.behind_seconds or 0),
        )

    def _note(self, lags: Sequence[Lag]) -> None:
        now_seconds = self._ports.clock.monotonic_seconds()
        for lag in lags:
            if lag.newest is not None:
                self._standing.clocks.saw_stamp(lag.newest, monotonic_seconds=now_seconds)
        self._lags = [self._dated(lag) for lag in lags]
        oldest = [lag.oldest.microseconds for lag in self._lags if lag.oldest is not None]
        self._stored_until = min([*oldest, self._now()])

    def _dated(self, lag: Lag) -> Lag:
        """Returns the lag with a stamp: unreadable frames wait since when they last could be read."""
        if not lag.frames:
            self._known[lag.partition] = Stamp(self._now(), is_brokers=False)
        elif lag.oldest is not None:
            self._known[lag.partition] = lag.oldest
        elif lag.partition in self._known:
            return lag._replace(oldest=self._known[lag.partition])
        return lag

    def _now(self) -> int:
        clock = self._ports.clock
        wall, seconds = clock.wall_microseconds(), clock.monotonic_seconds()
        return self._standing.clocks.moment(wall, monotonic_seconds=seconds).middle

    def _update(self) -> None:
        standing = self._standing
        if self._stored_until is None:
            return
        standing.waiting_frames = sum(lag.frames for lag in self._lags)
        standing.behind_seconds = max(self._now() - self._stored_until, 0) / _MICROSECONDS
        self._ports.meter.lagging(standing.waiting_frames, standing.behind_seconds)

    def _progress(self) -> list[KindProgress]:
        return [self._progress_of(kind) for kind in Kind]

    def _progress_of(self, kind: Kind) -> KindProgress:
        lags = [lag for lag in self._lags if KIND_OF_TOPIC[lag.partition.topic] is kind]
        oldest = [lag.oldest.microseconds for lag in lags if lag.oldest is not None]
        pause = next(
            (it for it in self._standing.pauses.all if KIND_OF_TOPIC[it.partition.topic] is kind), None
        )
        return KindProgress(
            kind,
            sum(lag.frames for lag in lags),
            min(oldest, default=0),
            *(() if pause is None else (pause.fault, pause.partition.number, pause.offset)),
        )


async def _bounded(call: Coroutine[Any, Any, Answer]) -> Answer:
    """Waits for the store, but not for as long as an insert may: the next measurement is due."""
    try:
        return await asyncio.wait_for(call, _STORE_SECONDS)
    except TimeoutError as error:
        raise UnavailableError(type(error).__name__) from None
