"""Notices an engine that is dead, one that makes no step for its requests, and one that answers nonsense."""

import asyncio
import math
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from services.generator.domain.one_token import makes_sense
from services.generator.domain.ports import (
    Engine,
    EngineFailedError,
    EngineLoad,
    RequestFailedError,
    Sleep,
)
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason

_CHECK_SECONDS: Final = 1.0
# Looks so far apart were not made on time: the whole process stood still, and the engine perhaps as well.
_LATE_SECONDS: Final = 5.0
# A prompt may be computed so much slower than those before it.
_SLOWER: Final = 10.0
# For one token, where the engine has nothing else to do, beside as much slower as a prompt may be.
_PROBE_SECONDS: Final = 20.0


class EngineLoss(Enum):
    """How an engine was lost, in words that follow it."""

    DIED = "died"
    HUNG = "holds requests and makes no step"
    NONSENSE = "answers a request of one token with an error, or with what no model makes"


class WatchBounds(Protocol):
    """In seconds; `Bounds` of the settings has them."""

    @property
    def engine_step_seconds(self) -> float:
        """How long a step may take beside what its prompts take."""
        ...

    @property
    def engine_hang_seconds(self) -> float:
        """The most that a step may take."""
        ...

    @property
    def engine_probe_seconds(self) -> float:
        """How long an engine is idle before it is asked for a token; 0 where it never is."""
        ...


class Looks:
    """When somebody looked, who has to look regularly."""

    def __init__(self) -> None:
        self._last_seconds = -math.inf

    def is_late(self, now_seconds: float) -> bool:
        """Notes a look; returns whether so much passed since the last that the process stood still."""
        last_seconds, self._last_seconds = self._last_seconds, now_seconds
        return now_seconds - last_seconds > _LATE_SECONDS


class Recomputed:
    """Whether preempted requests may be computed again: their prompts wait, and nobody counts them."""

    def __init__(self) -> None:
        self._preempted_total: int | None = 0
        self._is_awaited = False

    def look(self, load: EngineLoad) -> bool:
        """Returns True from a preemption until the engine says that no request waits."""
        preempted_total = load.preempted_requests_total
        if preempted_total != self._preempted_total:
            self._preempted_total, self._is_awaited = preempted_total, True
        elif not load.waiting_requests:
            self._is_awaited = False
        return self._is_awaited


class HangDetector:
    """Says that an engine hangs once it was busy for longer than a step may take, without one."""

    def __init__(self, bounds: WatchBounds) -> None:
        self._bounds = bounds
        self._busy_since_seconds: float | None = None
        self._looks = Looks()

    def is_hung(
        self,
        *,
        now_seconds: float,
        unfinished_requests: int,
        age_seconds: float,
        prefill_seconds: float | None = None,
    ) -> bool:
        """Returns True if it hangs; ask regularly. `age_seconds` is the time since the engine's last step.

        `prefill_seconds` is what the prompts that wait take at the engine's pace; None where it is unknown,
        as before the first prompt, for which shapes may be compiled.
        """
        is_late = self._looks.is_late(now_seconds)
        if unfinished_requests == 0:
            self._busy_since_seconds = None
            return False
        if self._busy_since_seconds is None or is_late:
            self._busy_since_seconds = now_seconds
        silent_seconds = min(now_seconds - self._busy_since_seconds, age_seconds)
        return silent_seconds > self._allowed_seconds(prefill_seconds)

    def _allowed_seconds(self, prefill_seconds: float | None) -> float:
        most_seconds = self._bounds.engine_hang_seconds
        if prefill_seconds is None:
            return most_seconds
        return min(most_seconds, self._bounds.engine_step_seconds + _SLOWER * prefill_seconds)


class IdleProbe:
    """Has an engine that nobody asks make one token now and then: a caller is not the first to find out."""

    def __init__(self, engine: Engine, bounds: WatchBounds) -> None:
        self._engine = engine
        self._bounds = bounds
        self._interval_seconds = bounds.engine_probe_seconds or math.inf
        self._looks = Looks()
        self._quiet_since_seconds: float | None = None
        self._began_seconds = 0.0
        self._took_seconds: float | None = None
        self._asked: asyncio.Task[bool] | None = None
        self._has_failed = False

    @property
    def is_asking(self) -> bool:
        """Whether a request of its own is at the engine."""
        return self._asked is not None

    def look(self, now_seconds: float) -> EngineLoss | None:
        """Asks when it is time, and returns how the engine is lost, if it is; call it regularly."""
        is_late = self._looks.is_late(now_seconds)
        if self._asked is not None:
            return self._ended(self._asked, now_seconds, is_late=is_late)
        if self._quiet_since_seconds is None or self._engine.unfinished_requests():
            self._quiet_since_seconds = now_seconds
        if self._has_failed or now_seconds - self._quiet_since_seconds >= self._interval_seconds:
            self._began_seconds = now_seconds
            self._asked = asyncio.create_task(makes_sense(self._engine))
        return None

    def close(self) -> None:
        """Gives up what is asked."""
        if self._asked is not None:
            self._asked.cancel()

    def _ended(self, asked: "asyncio.Task[bool]", now_seconds: float, *, is_late: bool) -> EngineLoss | None:
        if not asked.done():
            # Beside others it waits as they do, and the detector sees to them.
            if is_late or self._engine.unfinished_requests() > 1:
                self._began_seconds = now_seconds
            is_silent = now_seconds - self._began_seconds > self._allowed_seconds()
            return EngineLoss.HUNG if is_silent else None
        self._asked, self._quiet_since_seconds = None, now_seconds
        try:
            if not asked.result():
                return EngineLoss.NONSENSE
        except EngineFailedError:
            return EngineLoss.DIED
        except RequestFailedError:
            # Once may be a connection that was cut; it is asked again at once.
            has_failed, self._has_failed = self._has_failed, True
            return EngineLoss.NONSENSE if has_failed else None
        except ComptoirError as refusal:
            # Others were sooner, or share its server: it is alive.
            return None if refusal.reason is Reason.REPLICA_OVERLOADED else EngineLoss.NONSENSE
        self._took_seconds, self._has_failed = now_seconds - self._began_seconds, False
        return None

    def _allowed_seconds(self) -> float:
        """Returns how long it may take: by how long the last took, as templates differ in length."""
        most_seconds = self._bounds.engine_hang_seconds
        if self._took_seconds is None:
            return most_seconds
        return min(most_seconds, _PROBE_SECONDS + _SLOWER * self._took_seconds)


async def until_engine_fails(
    engine: Engine,
    clock: Clock,
    bounds: WatchBounds,
    *,
    prefill_seconds: Callable[[], float | None] = lambda: None,
    sleep: Sleep = asyncio.sleep,
) -> EngineLoss:
    """Returns when the engine is dead, hangs or answers nonsense, and which.

    `prefill_seconds` says what the prompts that wait take at the engine's recent pace, if that is known.
    """
    detector, probe, recomputed = HangDetector(bounds), IdleProbe(engine, bounds), Recomputed()
    try:
        while True:
            try:
                await engine.check_health()
            except EngineFailedError:
                return EngineLoss.DIED
            now_seconds, load = clock.monotonic_seconds(), engine.load()
            # Neither its prompt nor what is computed again is among those that wait.
            is_unknown = recomputed.look(load) or probe.is_asking
            if detector.is_hung(
                now_seconds=now_seconds,
                unfinished_requests=engine.unfinished_requests(),
                age_seconds=load.age_seconds,
                prefill_seconds=None if is_unknown else prefill_seconds(),
            ):
                return EngineLoss.HUNG
            if (loss := probe.look(now_seconds)) is not None:
                return loss
            await sleep(_CHECK_SECONDS)
    finally:
        probe.close()
