"""Long work gives way once it took a while, and is the same work at once."""

import asyncio
from functools import partial

import pytest

from services.kernel import steps
from services.kernel.clock import ManualClock
from services.kernel.steps import PACE_SECONDS, TURN_SECONDS, Pace, Steps, finished, in_turns, turn


def counted(done: list[int], to: int) -> Steps[int]:
    for number in range(to):
        done.append(number)
        yield
    return to


def failing() -> Steps[None]:
    yield
    raise ValueError("a defect")


async def test_the_result_is_that_of_all_steps_at_once_or_in_turns() -> None:
    assert finished(counted([], 3)) == 3
    assert await in_turns(counted([], 3)) == 3
    with pytest.raises(ValueError, match="a defect"):
        finished(failing())
    with pytest.raises(ValueError, match="a defect"):
        await in_turns(failing())


async def steps_per_turn(step_seconds: float, to: int) -> list[int]:
    """How many steps were done each time that others had their turn."""
    clock, done, seen = ManualClock(), list[int](), list[int]()

    def timed() -> Steps[None]:
        for _ in counted(done, to):
            clock.advance(step_seconds)
            yield

    work = asyncio.create_task(in_turns(timed(), clock.monotonic_seconds))
    while not work.done():
        if done and done[-1] + 1 not in seen:
            seen.append(done[-1] + 1)
        await asyncio.sleep(0)
    return seen


async def test_steps_that_take_a_while_give_way_after_each() -> None:
    assert await steps_per_turn(2 * TURN_SECONDS, 10) == list(range(1, 11))


async def test_short_steps_give_way_once_they_took_a_while_together() -> None:
    assert await steps_per_turn(TURN_SECONDS / 4, 10) == [4, 8]


async def test_work_that_is_short_in_all_waits_for_nobody() -> None:
    assert await steps_per_turn(TURN_SECONDS / 16, 10) == []


async def begun_per_turn(step_seconds: float, count: int, *, leave: int | None = None) -> list[list[int]]:
    """Which of many that come at once begin in each turn of the loop, where each takes so long."""
    clock, turns = ManualClock(), list[list[int]]()
    pace = Pace(clock.monotonic_seconds, clock.monotonic_seconds)

    async def begin(number: int) -> None:
        await pace.turn()
        turns[-1].append(number)
        clock.advance(step_seconds)

    tasks = [asyncio.create_task(begin(number)) for number in range(count)]
    async with asyncio.timeout(5):
        while not all(task.done() for task in tasks):
            turns.append([])
            await asyncio.sleep(0)
            if leave is not None and len(turns) == 2:
                tasks[leave].cancel()
    return [turn for turn in turns if turn]


async def test_what_comes_at_once_begins_in_order_as_much_in_a_turn_as_takes_a_millisecond() -> None:
    turns = await begun_per_turn(0.6 * PACE_SECONDS, 40)
    assert [number for turn in turns for number in turn] == list(range(40))
    assert max(map(len, turns)) == 2


async def test_what_takes_no_time_begins_at_once() -> None:
    assert await begun_per_turn(0.0, 40) == [list(range(40))]


async def test_the_time_of_the_thread_is_asked_for_only_where_so_much_has_passed() -> None:
    wall, asked = ManualClock(), list[float]()

    def thread_seconds() -> float:
        asked.append(wall.monotonic_seconds())
        return 0.0

    pace = Pace(thread_seconds, wall.monotonic_seconds)
    for _ in range(10):
        await pace.turn()
    assert len(asked) == 1
    # The thread itself did little meanwhile, so what comes begins all the same.
    wall.advance(PACE_SECONDS)
    await pace.turn()
    assert len(asked) == 2


@pytest.mark.parametrize("leave", [1, 2, 3, 16, 39])
async def test_who_leaves_before_it_begins_keeps_nobody_waiting(leave: int) -> None:
    turns = await begun_per_turn(PACE_SECONDS, 40, leave=leave)
    assert len([number for turn in turns for number in turn]) >= 39


class Loop:
    """Long work that goes on in a turn of the loop after the other, each time for one of its steps."""

    def __init__(self, works: int) -> None:
        self.clock = ManualClock()
        self.pace = Pace(self.clock.monotonic_seconds, self.clock.monotonic_seconds)
        self.steps_done = 0
        self.tasks = [asyncio.create_task(self._go_on()) for _ in range(works)]

    async def begin(self) -> None:
        await self.pace.turn()
        self.clock.advance(PACE_SECONDS / 4)

    async def _go_on(self) -> None:
        while True:
            await self.pace.turn(TURN_SECONDS)
            self.clock.advance(TURN_SECONDS)
            self.steps_done += 1
            await asyncio.sleep(0)


async def test_what_begins_does_not_wait_for_all_long_work() -> None:
    loop, turns = Loop(works=100), 0
    for _ in range(20):
        await asyncio.sleep(0)
    beginning = asyncio.create_task(loop.begin())
    while not beginning.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns <= 3
    assert loop.steps_done >= 10


async def test_long_work_goes_on_however_much_begins() -> None:
    loop, beginning = Loop(works=2), list[asyncio.Task[None]]()
    for _ in range(60):
        beginning += [asyncio.create_task(loop.begin()) for _ in range(8)]
        await asyncio.sleep(0)
    assert loop.steps_done >= 20
    assert len([each for each in beginning if each.done()]) >= 60


async def test_long_work_of_many_goes_on_in_the_turn_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, done = ManualClock(), list[int]()
    monkeypatch.setattr(steps, "Pace", partial(Pace, clock.monotonic_seconds, clock.monotonic_seconds))

    async def work() -> None:
        def timed() -> Steps[None]:
            for _ in counted(done, 3):
                clock.advance(2 * TURN_SECONDS)
                yield

        await turn()
        await in_turns(timed(), clock.monotonic_seconds)

    tasks = [asyncio.create_task(work()) for _ in range(20)]
    longest_seconds = 0.0
    async with asyncio.timeout(10):
        while not all(task.done() for task in tasks):
            before = clock.monotonic_seconds()
            await asyncio.sleep(0)
            longest_seconds = max(longest_seconds, clock.monotonic_seconds() - before)
    assert len(done) == 60
    assert longest_seconds <= PACE_SECONDS + 2 * TURN_SECONDS
