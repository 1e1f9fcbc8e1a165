"""The event loop's delay: none where it is in time, and a stall counts for as long as it was."""

import asyncio
import time

import pytest

from services.cli.loading.lag import INTERVAL_SECONDS, LagMeter
from tests.virtual_time import run


def looked(looks: float, stall: float = 0.0) -> list[float]:
    """What a meter saw in the time of so many looks, in the second of which the loop stood still so long."""

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        stood = 0.0

        def stand() -> None:
            nonlocal stood
            stood = stall

        loop.call_later(1.5 * INTERVAL_SECONDS, stand)
        meter = LagMeter(lambda: loop.time() + stood)
        running = asyncio.create_task(meter.run())
        await asyncio.sleep(looks * INTERVAL_SECONDS)
        running.cancel()
        return list(meter.lag_seconds)

    return run(main())


def test_a_loop_in_time_has_no_lag() -> None:
    assert looked(3.5) == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)


def test_a_stall_counts_as_often_as_the_timer_would_have_come() -> None:
    assert looked(3.5, stall=0.12) == pytest.approx([0.0, 0.12, 0.07, 0.02, 0.0], abs=1e-9)


async def test_a_loop_that_really_computes_is_late_by_that() -> None:
    meter = LagMeter(time.monotonic)
    running = asyncio.create_task(meter.run())
    await asyncio.sleep(0)
    until = time.monotonic() + 0.4
    while time.monotonic() < until:
        pass
    await asyncio.sleep(2 * INTERVAL_SECONDS)
    running.cancel()
    assert max(meter.lag_seconds) >= 0.3
