"""Notices an engine that is dead, and one that holds requests and makes no step."""

import asyncio
from enum import Enum
from typing import Final

from services.generator.domain.ports import Engine, EngineFailedError, Sleep
from services.kernel.clock import Clock

_CHECK_SECONDS: Final = 1.0


class EngineLoss(Enum):
    """How an engine was lost."""

    DIED = "died"
    HUNG = "hung"


class HangDetector:
    """Says that an engine hangs once it was busy for `hang_seconds` without a step.

    The bound must be longer than the longest prefill step and the compilation of a new shape.
    """

    def __init__(self, hang_seconds: float) -> None:
        self._hang_seconds = hang_seconds
        self._busy_since_seconds: float | None = None

    def is_hung(self, *, now_seconds: float, unfinished_requests: int, age_seconds: float) -> bool:
        """Returns True if it hangs; ask regularly. `age_seconds` is the time since the engine's last step."""
        if unfinished_requests == 0:
            self._busy_since_seconds = None
            return False
        if self._busy_since_seconds is None:
            self._busy_since_seconds = now_seconds
        return min(now_seconds - self._busy_since_seconds, age_seconds) > self._hang_seconds


async def until_engine_fails(
    engine: Engine, clock: Clock, *, hang_seconds: float, sleep: Sleep = asyncio.sleep
) -> EngineLoss:
    """Returns when the engine is dead or hangs, and which."""
    detector = HangDetector(hang_seconds)
    while True:
        try:
            await engine.check_health()
        except EngineFailedError:
            return EngineLoss.DIED
        if detector.is_hung(
            now_seconds=clock.monotonic_seconds(),
            unfinished_requests=engine.unfinished_requests(),
            age_seconds=engine.load().age_seconds,
        ):
            return EngineLoss.HUNG
        await sleep(_CHECK_SECONDS)
