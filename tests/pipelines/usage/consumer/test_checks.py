"""Looks at the store are rare where they take long, and one that fails is not the last."""

import asyncio

import pytest

from pipelines.usage.consumer.checks import EVERY_SECONDS, FIRST_SECONDS, LONGEST_SECONDS, check_store
from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.domain.ports import StoreCheck
from services.kernel.clock import ManualClock

_CHECK = StoreCheck({}, {}, {}, 3)


class _Store:
    """Takes the seconds that it is told to, or fails."""

    def __init__(self, clock: ManualClock, *turns: float | None) -> None:
        self._clock, self._turns = clock, list(turns)

    async def check(self, retention_days: int) -> StoreCheck:
        assert retention_days == 7
        seconds = self._turns.pop(0)
        if seconds is None:
            raise UnavailableError("ClickHouseError")
        self._clock.advance(seconds)
        return _CHECK


async def test_a_look_takes_a_fiftieth_of_the_time_and_a_failure_is_followed_by_another() -> None:
    clock, waits, shown = ManualClock(), list[float](), list[StoreCheck]()
    store = _Store(clock, 0.1, None, 10, 1_000)

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 5:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await check_store(store, shown.append, clock, retention_days=7, sleep=pause)
    assert waits == [FIRST_SECONDS, EVERY_SECONDS, EVERY_SECONDS, 500, LONGEST_SECONDS]
    assert shown == [_CHECK] * 3
