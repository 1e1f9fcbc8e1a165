"""Requests wait for a place on a replica in their order, while that is worth it, and leave nothing behind."""

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Reason
from services.router.domain import place_lines
from services.router.domain.place_turns import Asker
from tests import virtual_time
from tests.services.router.domain.waiting_pool import FULL, NONE, Pool, refusal_of, settle


async def test_a_request_is_held_until_a_replica_is_ready() -> None:
    pool = Pool()
    asking = await pool.ask(1)
    assert (asking.done(), pool.lines.held) == (False, 1)
    await pool.change(1)
    assert asking.result() == 1
    assert pool.is_empty()


async def test_held_requests_are_placed_by_class_and_then_by_arrival() -> None:
    pool = Pool()
    priorities = {1: 20, 2: 10, 3: 0, 4: 10, 5: 0, 6: 20}
    asking = [await pool.ask(number, priority=priority) for number, priority in priorities.items()]
    for places in (1, 2, 3):
        await pool.change(places)
    assert pool.placed == [3, 5, 2, 4, 1, 6]
    assert all(one.done() for one in asking)


async def test_a_newcomer_passes_nobody_of_its_class_or_a_better_one() -> None:
    pool = Pool(place_wait_seconds=30.0)
    first, second = [await pool.ask(number) for number in (1, 2)]
    # One place is free, and the newcomers are there before those that wait could try.
    pool.free_places = 1
    pool.lines.free(1)
    newcomers = [await pool.ask(3, priority=priority) for priority in (20, 10)]
    assert [one.done() for one in (first, second, *newcomers)] == [True, False, False, False]
    pool.free_places = 1
    assert (await pool.ask(4, priority=0)).done(), "a better class goes first"
    for one in (second, *newcomers):
        one.cancel()


async def test_a_held_request_that_finds_every_replica_full_waits_on() -> None:
    pool = Pool()
    asking = [await pool.ask(number) for number in (1, 2)]
    await pool.change(1)
    assert [one.done() for one in asking] == [True, False]
    assert (await refusal_of(await pool.ask(3))).reason is FULL
    await pool.change(1)
    assert asking[1].result() == 2


async def test_a_request_that_waits_for_a_full_replica_is_held_when_that_dies() -> None:
    pool = Pool(place_wait_seconds=30.0)
    pool.free_places = 0
    asking = await pool.ask(1)
    assert pool.lines.held == 0
    await pool.change(None)
    assert pool.lines.held == 1
    await pool.change(1)
    assert asking.result() == 1


def test_a_moment_that_ends_while_the_replica_dies_becomes_a_hold() -> None:
    virtual_time.run(_moment_that_ends())


async def _moment_that_ends() -> None:
    pool = Pool(place_wait_seconds=0.05)
    pool.free_places = 0
    asking = await pool.ask(1)
    # Nobody is told of it: the end of the moment looks again.
    pool.free_places = None
    await asyncio.sleep(0.1)
    assert (asking.done(), pool.lines.held) == (False, 1)
    asking.cancel()


async def test_a_request_too_large_for_what_is_ready_does_not_stand_in_the_others_way() -> None:
    pool = Pool()
    large, small = await pool.ask(1, size=5), await pool.ask(2)
    await pool.change(1)
    assert small.done()
    await pool.change(5)
    assert large.done()


async def test_a_request_whose_key_is_busy_waits_and_does_not_stand_in_the_others_way() -> None:
    pool = Pool()
    busy = await pool.ask(1, key=1)
    pool.busy_keys = {1}
    await pool.change(2)
    assert (await pool.ask(2, key=2)).result() == 2
    assert not busy.done()
    pool.busy_keys = set()
    await pool.change(1)
    assert busy.result() == 1


async def test_a_newcomer_passes_nobody_who_waits_for_a_place_before_one_whose_key_is_busy() -> None:
    pool = Pool(place_wait_seconds=1.0)
    pool.free_places, pool.busy_keys = 0, {7}
    asking = [await pool.ask(1), await pool.ask(2, key=7)]
    before = pool.lines.before(Asker(1, 1, 10, 99, lambda: math.inf))
    assert before is not None
    assert before.refusal.reason is FULL
    for one in asking:
        one.cancel()


async def test_a_change_that_brings_no_place_costs_little_however_many_wait() -> None:
    pool = Pool(place_wait_seconds=30.0)
    pool.free_places = 0
    asking = [await pool.ask(number) for number in range(200)]
    pool.attempts = 0
    for _ in range(10):
        await pool.change(0)
    assert pool.attempts <= 10 * 17
    await pool.change(100)
    assert pool.placed == list(range(100))
    for one in asking:
        one.cancel()


async def test_a_hold_that_is_over_ends_in_the_refusal_and_when_to_try_again() -> None:
    pool = Pool(hold_seconds=0.01)
    refusal = await refusal_of(await pool.ask(1))
    assert (refusal.reason, refusal.retry_after_seconds) == (NONE, 1.0)
    assert pool.is_empty()


async def test_nobody_waits_for_a_replica_that_is_not_expected_any_more() -> None:
    pool = Pool()
    pool.expected_seconds = 0.0
    assert (await refusal_of(await pool.ask(1))).reason is NONE
    pool.expected_seconds = math.inf
    held = await pool.ask(2)
    pool.expected_seconds = 0.0
    await pool.change(None)
    assert (await refusal_of(held)).reason is NONE


async def test_more_than_may_be_held_are_refused_at_once() -> None:
    pool = Pool(held_requests=2)
    held = [await pool.ask(number, key=number) for number in (1, 2)]
    assert (await refusal_of(await pool.ask(3, key=3))).retry_after_seconds == 1.0
    held[0].cancel()
    await settle()
    held[0] = await pool.ask(4, key=4)
    assert not held[0].done()
    for one in held:
        one.cancel()


async def test_more_than_a_keys_share_are_refused_at_once_and_others_are_held() -> None:
    pool = Pool()
    held = [await pool.ask(number, most=2) for number in (1, 2)]
    assert (await refusal_of(await pool.ask(3, most=2))).reason is NONE
    held.append(await pool.ask(4, key=2, most=2))
    assert not held[-1].done()
    for one in held:
        one.cancel()


async def test_all_that_wait_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place_lines, "MAX_WAITING", 1)
    pool = Pool()
    held = await pool.ask(1)
    assert (await refusal_of(await pool.ask(2))).reason is NONE
    held.cancel()


async def test_a_caller_who_leaves_is_forgotten_and_hands_its_turn_on() -> None:
    pool = Pool()
    first, second = [await pool.ask(number) for number in (1, 2)]
    pool.free_places = 1
    pool.lines.free(1)
    # Called, and gone before it could try.
    first.cancel()
    await settle()
    assert second.result() == 2
    assert pool.is_empty()


async def test_any_other_refusal_ends_the_wait() -> None:
    pool = Pool()

    async def spent() -> int:
        raise ComptoirError(Reason.TOKENS_EXHAUSTED, retry_after_seconds=7.0)

    asker = Asker(1, 1, 10, 99, lambda: math.inf)
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(pool.lines.wait(asker, ComptoirError(NONE), spent), 5)
    assert refusal.value.reason is Reason.TOKENS_EXHAUSTED
    assert pool.is_empty()


async def test_a_router_that_stops_sends_those_that_it_holds_elsewhere() -> None:
    pool = Pool()
    held = await pool.ask(1)
    pool.lines.close()
    assert (await refusal_of(held)).reason is Reason.UNAVAILABLE
    assert (await refusal_of(await pool.ask(2))).reason is Reason.UNAVAILABLE
    assert pool.is_empty()


async def test_lines_of_different_models_do_not_wait_for_one_another() -> None:
    pool = Pool()
    first = await pool.ask(1)
    asker = Asker(2, 1, 10, 99, lambda: math.inf)
    other = asyncio.create_task(pool.lines.wait(asker, ComptoirError(NONE), pool.attempt(2, 1, 1)))
    await settle()
    pool.free_places = 1
    pool.lines.free(2)
    await settle()
    assert other.done()
    assert not first.done()
    pool.free_places = 1
    pool.lines.free_all()
    assert await first == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from([0, 10, 20])),
        st.tuples(st.just("places"), st.sampled_from([None, 0, 1, 2, 3])),
        st.tuples(st.just("leave"), st.integers(0, 9)),
    ),
    max_size=40,
)


@given(STEPS)
def test_in_any_order_of_events_no_place_is_idle_while_somebody_waits(
    steps: list[tuple[str, Any]],
) -> None:
    asyncio.run(_any_order(steps))


async def _any_order(steps: list[tuple[str, Any]]) -> None:
    pool, asked = Pool(), list[tuple[int, int, asyncio.Task[int]]]()
    for number, (step, value) in enumerate(steps):
        before = [one for one in asked if not one[2].done()]
        placed = len(pool.placed)
        if step == "ask":
            asked.append((value, number, await pool.ask(number, priority=value)))
        elif step == "places":
            await pool.change(value)
        elif value < len(before):
            before[value][2].cancel()
            await settle()
        if step == "places":
            order = [number for _, number, _ in sorted(before, key=lambda one: one[:2])]
            assert pool.placed[placed:] == order[: len(pool.placed) - placed]
        waiting = [one for one in asked if not one[2].done()]
        assert not (waiting and pool.free_places)
        assert pool.lines.waiting == len(waiting) >= pool.lines.held
    for _, _, task in asked:
        task.cancel()
    await settle()
    assert pool.is_empty()
