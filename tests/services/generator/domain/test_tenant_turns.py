"""A tenant whose work takes long holds up itself, and others by one turn at most."""

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.tenant_turns import TenantTurns

LOUD, QUIET, THIRD = 1, 2, 3


class Line:
    """Takes turns of given lengths, and says in which order they came."""

    def __init__(self) -> None:
        self.turns = TenantTurns()
        self.served: list[int] = []
        self.waiting: list[asyncio.Task[None]] = []

    async def ask(self, tenant: int) -> asyncio.Task[None]:
        task = asyncio.create_task(self._take(tenant))
        self.waiting.append(task)
        await asyncio.sleep(0)
        return task

    async def _take(self, tenant: int) -> None:
        await self.turns.take(tenant)
        self.served.append(tenant)

    async def end(self, seconds: float) -> None:
        """Ends the turn of whoever was served last."""
        self.turns.give_on(self.served[-1], seconds)
        for _ in range(3):
            await asyncio.sleep(0)

    async def cancel(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait((task,))


async def test_turns_of_one_tenant_come_in_their_order_and_one_at_a_time() -> None:
    line = Line()
    for _ in range(3):
        await line.ask(LOUD)
    assert line.served == [LOUD]
    await line.end(1.0)
    assert line.served == [LOUD] * 2
    assert [task.done() for task in line.waiting] == [True, True, False]
    await line.end(1.0)
    assert all(task.done() for task in line.waiting)


async def test_whoever_comes_after_a_hundred_long_ones_of_another_tenant_is_next() -> None:
    line = Line()
    for _ in range(100):
        await line.ask(LOUD)
    await line.end(2.0)
    await line.ask(QUIET)
    await line.end(2.0)
    assert line.served == [LOUD, LOUD, QUIET]
    # Its next one too, as it took hardly any time.
    await line.ask(QUIET)
    await line.end(0.001)
    assert line.served[-1] == QUIET
    await line.end(0.001)
    assert line.served[-1] == LOUD
    for task in line.waiting:
        await line.cancel(task)


async def test_whoever_leaves_is_passed_over_and_holds_up_nobody() -> None:
    line = Line()
    await line.ask(LOUD)
    leaves, stays = await line.ask(QUIET), await line.ask(THIRD)
    await line.cancel(leaves)
    await line.end(1.0)
    assert stays.done()
    assert line.served == [LOUD, THIRD]


async def test_whoever_leaves_at_the_moment_of_its_turn_gives_it_on() -> None:
    line = Line()
    await line.ask(LOUD)
    leaves, stays = await line.ask(QUIET), await line.ask(THIRD)
    line.turns.give_on(LOUD, 1.0)
    await line.cancel(leaves)
    await asyncio.sleep(0)
    assert line.served == [LOUD, THIRD]
    assert stays.done()


async def test_nothing_is_kept_of_tenants_once_nobody_waits() -> None:
    line = Line()
    for tenant in range(50):
        await line.ask(tenant)
    for _ in range(50):
        await line.end(1.0)
    assert sorted(line.served) == list(range(50))
    assert (line.turns._waiting, line.turns._ended_seconds) == ({}, {})


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 2.0)), min_size=1, max_size=60))
def test_tenants_that_all_wait_have_equal_time_but_for_their_longest_turns(
    asked: list[tuple[int, float]],
) -> None:
    lengths = {tenant: [seconds for who, seconds in asked if who == tenant] for tenant, _ in asked}
    asyncio.run(_has_equal_time(lengths))


async def _has_equal_time(lengths: dict[int, list[float]]) -> None:
    line = Line()
    left = {tenant: list(seconds) for tenant, seconds in lengths.items()}
    # The first that asks is served before anybody waits.
    for tenant, turns in lengths.items():
        for _ in turns:
            await line.ask(tenant)
    used = dict.fromkeys(lengths, 0.0)
    longest = {tenant: max(seconds) for tenant, seconds in lengths.items()}
    for _ in range(sum(map(len, lengths.values()))):
        tenant = line.served[-1]
        seconds = left[tenant].pop(0)
        used[tenant] += seconds
        await line.end(seconds)
        waiting = [one for one in lengths if len(left[one]) > (one == line.served[-1])]
        for one, other in itertools.combinations(waiting, 2):
            assert abs(used[one] - used[other]) <= longest[one] + longest[other] + 1e-6
    assert len(line.served) == sum(map(len, lengths.values()))
