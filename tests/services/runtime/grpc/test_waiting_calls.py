"""Where too many calls wait, the longest-waiting end and the newest keep their places."""

import asyncio

from services.runtime.grpc.waiting_calls import WaitingCalls


async def _waits(calls: WaitingCalls, seconds: float | None = None) -> None:
    async with calls.place(seconds):
        await asyncio.Event().wait()


async def test_the_ones_that_have_waited_longest_end() -> None:
    calls = WaitingCalls(most_waiting=2)
    tasks = [asyncio.create_task(_waits(calls)) for _ in range(5)]
    endings = await asyncio.wait_for(asyncio.gather(*tasks[:3], return_exceptions=True), timeout=10)
    assert [type(ending) for ending in endings] == [TimeoutError] * 3
    assert not any(task.done() for task in tasks[3:])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_place_that_is_left_is_free() -> None:
    calls = WaitingCalls(most_waiting=1)
    for _ in range(3):
        async with calls.place():
            pass
    async with calls.place():
        await asyncio.sleep(0)


async def test_a_burst_has_a_moment_before_any_of_it_ends() -> None:
    calls = WaitingCalls(most_waiting=1, patience_seconds=600)
    tasks = [asyncio.create_task(_waits(calls)) for _ in range(5)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_place_has_an_end() -> None:
    ending = await asyncio.gather(_waits(WaitingCalls(most_waiting=1), 0.01), return_exceptions=True)
    assert type(ending[0]) is TimeoutError
