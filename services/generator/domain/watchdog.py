"""Notices an engine that is dead, one that makes no step for its requests, and one that answers nonsense."""

import asyncio
import math
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from services.generator.domain.one_token import makes_sense
from services.generator.domain.ports import Engine, EngineFailedError, RequestFailedError, Sleep
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError

_CHECK_SECONDS: Final = 1.0
# Looks so far apart were not made on time: the whole process stood still, and the engine perhaps as well.
_LATE_SECONDS: Final = 5.0
# A prompt may be computed so much slower than those before it.
_SLOWER: Final = 10.0
# For one token, where the engine has nothing else to do.
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


class HangDetector:
    """Says that an engine hangs once it was busy for longer than a step may take, without one."""

    def __init__(self, bounds: WatchBounds) -> None:
        self._bounds = bounds
        self._busy_since_seconds: float | None = None
        self._looked_seconds = -math.inf

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
        is_late = now_seconds - self._looked_seconds > _LATE_SECONDS
        self._looked_seconds = now_seconds
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

    def __init__(self, engine: Engine, interval_seconds: float) -> None:
        self._engine = engine
        self._interval_seconds = interval_seconds or math.inf
        self._quiet_since_seconds: float | None = None
        self._began_seconds = 0.0
        self._asked: asyncio.Task[bool] | None = None

    def look(self, now_seconds: float) -> EngineLoss | None:
        """Asks when it is time, and returns how the engine is lost, if it is; call it regularly."""
        if self._asked is not None:
            return self._ended(self._asked, now_seconds)
        if self._quiet_since_seconds is None or self._engine.unfinished_requests():
            self._quiet_since_seconds = now_seconds
        if now_seconds - self._quiet_since_seconds >= self._interval_seconds:
            self._began_seconds = now_seconds
            self._asked = asyncio.create_task(makes_sense(self._engine))
        return None

    def close(self) -> None:
        """Gives up what is asked."""
        if self._asked is not None:
            self._asked.cancel()

    def _ended(self, asked: "asyncio.Task[bool]", now_seconds: float) -> EngineLoss | None:
        if not asked.done():
            # Beside others it waits as they do, and the detector sees to them.
            if self._engine.unfinished_requests() > 1:
                self._began_seconds = now_seconds
            is_silent = now_seconds - self._began_seconds > _PROBE_SECONDS
            return EngineLoss.HUNG if is_silent else None
        self._asked, self._quiet_since_seconds = None, now_seconds
        try:
            return None if asked.result() else EngineLoss.NONSENSE
        except EngineFailedError:
            return EngineLoss.DIED
        except (RequestFailedError, ComptoirError):
            return EngineLoss.NONSENSE


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
    detector, probe = HangDetector(bounds), IdleProbe(engine, bounds.engine_probe_seconds)
    try:
        while True:
            try:
                await engine.check_health()
            except EngineFailedError:
                return EngineLoss.DIED
            now_seconds = clock.monotonic_seconds()
            if detector.is_hung(
                now_seconds=now_seconds,
                unfinished_requests=engine.unfinished_requests(),
                age_seconds=engine.load().age_seconds,
                prefill_seconds=prefill_seconds(),
            ):
                return EngineLoss.HUNG
            if (loss := probe.look(now_seconds)) is not None:
                return loss
            await sleep(_CHECK_SECONDS)
    finally:
        probe.close()
