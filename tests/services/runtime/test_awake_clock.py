"""What stood still is no part of a wait, however many waits it fell into."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock import ManualClock
from services.runtime.awake_clock import AwakeClock


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def test_an_answer_ends_a_wait_and_is_given_on() -> None:
    awake, answer = AwakeClock(ManualClock()), _future()
    asyncio.get_running_loop().call_soon(answer.set_result, None)
    await awake.wait(answer, 5.0)
    failed = _future()
    failed.set_exception(ConnectionError())
    with pytest.raises(ConnectionError):
        await awake.wait(failed, 5.0)


async def test_a_wait_without_an_answer_ends_and_leaves_the_answer_to_others() -> None:
    awake, answer = AwakeClock(ManualClock()), _future()
    with pytest.raises(TimeoutError):
        await awake.wait(answer, 0.01)
    assert not answer.done()


async def test_a_standstill_within_a_wait_is_no_time_of_it() -> None:
    clock = ManualClock()
    awake = AwakeClock(clock)
    before, answer = awake.seconds(), _future()
    waiting = asyncio.create_task(awake.wait(answer, 5.0))
    await asyncio.sleep(0)
    clock.advance(100.0)
    answer.set_result(None)
    await waiting
    assert 0.0 <= awake.seconds() - before <= 0.25


async def test_a_standstill_within_a_pause_is_no_time_of_it() -> None:
    clock = ManualClock()
    awake = AwakeClock(clock)
    before = awake.seconds()
    pausing = asyncio.create_task(awake.pause(0.02))
    await asyncio.sleep(0)
    clock.advance(100.0)
    await pausing
    assert awake.seconds() - before == pytest.approx(0.02)


async def test_a_wait_that_is_cancelled_has_seen_the_standstill_too() -> None:
    clock = ManualClock()
    awake = AwakeClock(clock)
    before = awake.seconds()
    waiting = asyncio.create_task(awake.wait(_future(), 5.0))
    await asyncio.sleep(0)
    clock.advance(100.0)
    waiting.cancel()
    await asyncio.wait((waiting,))
    assert 0.0 <= awake.seconds() - before <= 0.25


@given(
    waits=st.lists(st.floats(0.001, 0.25), min_size=1, max_size=5),
    standstills=st.lists(st.floats(0.3, 1000.0), min_size=1, max_size=5),
)
def test_time_awake_never_goes_back_and_no_standstill_is_counted_twice(
    waits: list[float], standstills: list[float]
) -> None:
    async def seen_by_all_of_them() -> None:
        clock = ManualClock()
        awake = AwakeClock(clock)
        before = awake.seconds()
        for stood_still_seconds in standstills:
            answer = _future()
            waiting = [asyncio.create_task(awake.wait(answer, seconds)) for seconds in waits]
            await asyncio.sleep(0)
            clock.advance(stood_still_seconds)
            answer.set_result(None)
            await asyncio.gather(*waiting)
            now = awake.seconds()
            # The shortest wait tells best what is too much, and at least its own length has passed.
            assert before + min(waits) - 1e-6 <= now <= before + max(waits) + 1e-6
            before = now

    asyncio.run(seen_by_all_of_them())
