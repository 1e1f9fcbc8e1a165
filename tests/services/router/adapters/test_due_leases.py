"""Leases are found when something of them may be over, and no time is kept for long that is none any more."""

import asyncio
from unittest.mock import patch

from services.kernel.clock import ManualClock
from services.kernel.identity import Identity
from services.router.adapters import due_leases
from services.router.adapters.due_leases import DueLeases, over
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.amount import Amount
from services.router.domain.lease import NO_REQUEST, Hold, Lease, Process, Reservation, Settlement
from services.router.domain.quota import Held, Quotas
from services.router.domain.tenancy import UNLIMITED
from tests.contracts.leases import PAYER

NO_LIMITS = Quotas(UNLIMITED, UNLIMITED)


def lease(number: int) -> Identity:
    return Identity(0, number)


async def due(times: DueLeases, now_seconds: float) -> list[Identity]:
    return [found async for found in times.over(lambda: now_seconds)]


async def test_the_soonest_comes_first_and_each_time_once() -> None:
    times = DueLeases()
    for number in (3, 1, 2):
        times.add(lease(number), 10.0 + number)
    assert await due(times, 12.0) == [lease(1), lease(2)]
    assert await due(times, 12.0) == []
    assert await due(times, 100.0) == [lease(3)]


async def test_times_of_what_has_ended_are_thrown_away_and_those_of_what_goes_on_are_not() -> None:
    times = DueLeases()
    for number in range(2000):
        times.add(lease(number), 50.0)
    going_on = Lease(lease(7), PAYER, Held(), 40.0)
    going_on.accepted[lease(1)] = Hold(Process(1, 1), Held(), 60.0)
    going_on.lost[lease(2)] = Hold(Process(1, 1), Held(), 70.0)
    times.shrink({going_on.lease_id: going_on})
    assert len(times) == 3
    assert await due(times, 100.0) == [lease(7)] * 3


async def test_others_have_their_turn_while_many_leases_end() -> None:
    times, turns = DueLeases(), 0
    for number in range(1000):
        times.add(lease(number), 1.0)

    async def count(_: float) -> None:
        nonlocal turns
        turns += 1
        await asyncio.sleep(0)

    with patch.object(due_leases, "turn", count):
        assert len(await due(times, 1.0)) == 1000
    assert turns == 15


async def test_requests_that_come_and_go_leave_no_times_behind() -> None:
    clock = ManualClock()
    leases = MemoryLeases(clock)
    for number in range(1, 5000):
        await leases.reserve(Reservation(lease(number), PAYER, NO_LIMITS, Amount(10), 600.0, NO_REQUEST))
        await leases.settle(Settlement(lease(number), Identity(1, number), PAYER, Amount(10), Process(1, 1)))
        clock.advance(0.01)
        if number % 100 == 0:
            await leases.expire()
    assert len(leases._leases._due) < 1500


def test_only_holds_whose_time_is_over_are_over() -> None:
    holds = {lease(1): Hold(Process(1, 1), Held(), 5.0), lease(2): Hold(Process(1, 1), Held(), 5.1)}
    assert over(holds, 5.0) == [lease(1)]
