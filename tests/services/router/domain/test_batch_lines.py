"""Batch requests wait where their class is held back, in nobody's way, and go on in their order."""

import asyncio

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.ageing import Ageing
from tests.services.router.domain.waiting_pool import BATCH, FULL, Pool, refusal_of, settle

HELD = Reason.BATCH_HELD_BACK


def held_pool(*, after: float = 10.0, places: int = 9, **limits: object) -> Pool:
    """A pool with free places of which batch gets none."""
    pool = Pool(**limits)
    pool.free_places = places
    pool.held_back = ComptoirError(HELD, retry_after_seconds=after)
    return pool


async def test_batch_that_is_held_back_waits_and_others_pass_it() -> None:
    pool = held_pool()
    batch = [await pool.ask(number, priority=BATCH) for number in (1, 2)]
    assert [(await pool.ask(number, priority=priority)).result() for number, priority in ((3, 0), (4, 10))]
    assert ([one.done() for one in batch], pool.lines.held) == ([False, False], 2)
    await pool.let_batch_go()
    assert pool.placed == [3, 4, 1, 2]
    assert pool.is_empty()


async def test_however_long_batch_was_held_back_it_keeps_no_other_class_out() -> None:
    pool = held_pool(
        ageing=Ageing(default_yields_seconds=0.0, batch_yields_seconds=0.0), place_wait_seconds=1.0
    )
    batch = [await pool.ask(number, priority=BATCH) for number in range(40)]
    assert (await pool.ask(99, priority=0)).result() == 99
    # A place that becomes free is for those that are not held back, however many stand before them.
    pool.free_places = 0
    late = await pool.ask(98, priority=0)
    await pool.change(1)
    assert late.done()
    for one in batch:
        one.cancel()


async def test_places_that_become_free_call_no_batch_that_is_held_back() -> None:
    pool = held_pool()
    batch = [await pool.ask(number, priority=BATCH) for number in range(5)]
    pool.attempts = 0
    for _ in range(20):
        await pool.change(9)
    assert pool.attempts == 0
    for one in batch:
        one.cancel()


async def test_a_newcomer_of_batch_does_not_pass_those_that_were_held_back() -> None:
    pool = held_pool(places=1)
    first = await pool.ask(1, priority=BATCH)
    pool.held_back = None
    second = await pool.ask(2, priority=BATCH)
    assert (first.done(), second.done()) == (False, False)
    await pool.let_batch_go()
    assert (first.result(), second.done()) == (1, False)
    await pool.change(1)
    await pool.let_batch_go()
    assert second.result() == 2


async def test_batch_is_refused_at_once_where_the_peak_lasts_longer_than_it_may_wait() -> None:
    pool = held_pool(after=31.0)
    refusal = await refusal_of(await pool.ask(1, priority=BATCH))
    assert (refusal.reason, refusal.retry_after_seconds) == (HELD, 31.0)
    assert pool.is_empty()


async def test_a_hold_of_batch_is_over_in_time_and_says_when_to_come_back() -> None:
    pool = held_pool(after=0.01, hold_seconds=0.05)
    refusal = await refusal_of(await pool.ask(1, priority=BATCH))
    assert (refusal.reason, refusal.retry_after_seconds) == (HELD, 0.01)
    assert pool.is_empty()


async def test_batch_has_half_of_the_room_of_those_that_are_held() -> None:
    pool = held_pool(held_requests=4)
    batch = [await pool.ask(number, priority=BATCH, key=number) for number in range(3)]
    assert [one.done() for one in batch] == [False, False, True]
    assert (await refusal_of(batch[2])).reason is HELD
    pool.free_places = None
    others = [await pool.ask(10 + number, priority=0, key=9) for number in range(3)]
    assert [one.done() for one in others] == [False, False, True]
    for one in (*batch[:2], *others[:2]):
        one.cancel()
    await settle()
    assert pool.is_empty()


async def test_no_key_has_all_the_room_of_batch() -> None:
    pool = held_pool(held_requests=8)
    greedy = [await pool.ask(number, priority=BATCH, key=1, most=4) for number in range(3)]
    assert [one.done() for one in greedy] == [False, False, True]
    other = await pool.ask(9, priority=BATCH, key=2, most=4)
    assert not other.done()
    for one in (*greedy[:2], other):
        one.cancel()
    with pytest.raises(ComptoirError):
        await greedy[2]
    await settle()
    assert pool.is_empty()


async def test_batch_that_is_held_back_asks_for_no_replica() -> None:
    pool = held_pool(places=0)
    batch = await pool.ask(1, priority=BATCH)
    assert (pool.lines.waiting, pool.lines.waiting_for(1, pool.kinds)) == (1, 0)
    await pool.let_batch_go()
    assert pool.lines.waiting_for(1, pool.kinds) == 1
    batch.cancel()


async def test_batch_that_goes_on_and_finds_no_place_waits_for_one() -> None:
    pool = held_pool(places=1)
    batch = [await pool.ask(number, priority=BATCH) for number in range(3)]
    await pool.let_batch_go()
    assert [one.done() for one in batch] == [True, False, False]
    await pool.change(2)
    assert [one.done() for one in batch] == [True, True, True]
    assert pool.is_empty()


async def test_batch_waits_for_a_place_and_others_before_it_that_would_be_refused_after_a_moment() -> None:
    pool = Pool()
    pool.free_places = 0
    alone = await pool.ask(1, priority=10)
    assert (await refusal_of(alone)).reason is FULL
    batch, other = await pool.ask(2, priority=BATCH), await pool.ask(3, priority=10)
    assert (batch.done(), other.done()) == (False, False)
    await pool.change(1)
    assert (batch.done(), other.result()) == (False, 3)
    await pool.change(1)
    assert batch.result() == 2


async def test_batch_without_room_to_be_held_waits_for_a_place_as_others_do() -> None:
    pool = Pool(held_requests=0, place_wait_seconds=0.01)
    pool.free_places = 0
    assert (await refusal_of(await pool.ask(1, priority=BATCH))).reason is FULL
    assert pool.is_empty()


async def test_a_request_that_has_waited_for_its_class_goes_before_better_ones_that_come_then() -> None:
    pool = Pool(ageing=Ageing(default_yields_seconds=0.02, batch_yields_seconds=0.05))
    batch, default = await pool.ask(1, priority=BATCH), await pool.ask(2, priority=10)
    early = await pool.ask(3, priority=0)
    await asyncio.sleep(0.06)
    late = await pool.ask(4, priority=0)
    for places in (1, 1, 1, 1):
        await pool.change(places)
    assert pool.placed == [3, 2, 1, 4]
    for one in (batch, default, early, late):
        one.result()


async def test_batch_that_is_held_back_is_sent_elsewhere_when_the_router_stops() -> None:
    pool = held_pool()
    batch = await pool.ask(1, priority=BATCH)
    pool.lines.close()
    assert (await refusal_of(batch)).reason is Reason.UNAVAILABLE
    assert pool.is_empty()


async def test_what_interactive_requests_wait_here_is_known() -> None:
    pool = Pool()
    assert pool.lines.interactive_wait_seconds(1) == 0
    asking = [await pool.ask(1, priority=0), await pool.ask(2, priority=10)]
    await asyncio.sleep(0.02)
    assert 0.02 <= pool.lines.interactive_wait_seconds(1) < 5
    for one in asking:
        one.cancel()
    await settle()
    assert pool.lines.interactive_wait_seconds(1) == 0
