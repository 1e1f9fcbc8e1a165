"""Everybody in a line gets a turn, whatever those before wait for."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError
from services.router.domain.place_turns import MOST_IN_VAIN
from services.router.domain.placement.kinds import Kind, Requirement
from tests.services.router.domain.waiting_pool import BUSY_KEY, Pool, settle


@pytest.mark.parametrize("before", [1, MOST_IN_VAIN + 1, 3 * MOST_IN_VAIN])
async def test_those_who_wait_for_what_others_do_not_keep_nobody_from_a_place(before: int) -> None:
    pool = Pool(place_wait_seconds=30.0)
    pool.free_places = 0
    first = [await pool.ask(number, size=100) for number in range(before)]
    last = await pool.ask(1000, key=2)
    for _ in range(before):
        await pool.change(1)
    assert pool.placed == [1000]
    assert last.done()
    for one in first:
        one.cancel()


async def test_the_first_are_asked_at_each_change() -> None:
    pool = Pool(place_wait_seconds=30.0)
    pool.free_places = 0
    asking = [await pool.ask(number, size=2) for number in range(3 * MOST_IN_VAIN)]
    for _ in range(3):
        await pool.change(1)
    await pool.change(2)
    assert pool.placed == [0]
    for one in asking:
        one.cancel()


async def test_a_change_lets_a_bounded_number_try() -> None:
    pool = Pool(place_wait_seconds=30.0)
    pool.free_places = 0
    asking = [await pool.ask(number) for number in range(5 * MOST_IN_VAIN)]
    for _ in range(4):
        attempts = pool.attempts
        await pool.change(0)
        assert pool.attempts - attempts <= MOST_IN_VAIN + 1
    for one in asking:
        one.cancel()


EVERYBODYS, OF_FIVE, BARE = Kind(), Kind(tenant=5), Kind(features=0)
REQUIRED = st.builds(Requirement, st.sampled_from([4, 5]), st.sampled_from([0, 2]))
STEPS = st.lists(
    st.one_of(
        REQUIRED,
        st.integers(0, 9),
        st.dictionaries(st.sampled_from([EVERYBODYS, OF_FIVE, BARE]), st.integers(0, 2)),
    ),
    max_size=30,
)


async def test_a_tenant_gets_its_own_place_at_once_however_many_wait_for_what_serves_everybody() -> None:
    pool = Pool(place_wait_seconds=30.0)
    await pool.change_kinds({EVERYBODYS: 0, OF_FIVE: 0})
    others = [await pool.ask_for(number, Requirement(4)) for number in range(4 * MOST_IN_VAIN)]
    own = await pool.ask_for(1000, Requirement(5))
    await pool.change_kinds({EVERYBODYS: 0, OF_FIVE: 1})
    assert own.done()
    for one in others:
        one.cancel()


async def test_newcomers_that_others_may_serve_too_do_not_starve_one_that_needs_what_few_have() -> None:
    pool = Pool(place_wait_seconds=30.0)
    await pool.change_kinds({EVERYBODYS: 0, BARE: 1})
    needy = await pool.ask_for(1, Requirement(4, needs=2))
    # Places that it needs are free, and it could not try yet.
    pool.places = {EVERYBODYS: 2, BARE: 1}
    assert await (await pool.ask_for(2, Requirement(4))) == 2
    assert pool.places == {EVERYBODYS: 2, BARE: 0}, "those with most are left to who waits"
    pool.lines.free(1)
    assert await needy == 1
    assert await (await pool.ask_for(3, Requirement(4))) == 3


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_place_that_its_request_gives_back_is_offered_to_all_that_it_may_serve(leaves: bool) -> None:
    """Its key had no room when it had its place, or its caller left: meanwhile others tried in vain."""
    pool, asked = Pool(place_wait_seconds=30.0), asyncio.Event()
    await pool.change_kinds({EVERYBODYS: 0, OF_FIVE: 0})
    first = await pool.ask_for(5, Requirement(5))
    second = await pool.ask_for(4, Requirement(4))

    async def lend(number: int) -> None:
        if number == 5:
            await asked.wait()
            raise ComptoirError(BUSY_KEY)

    pool.lend = lend
    await pool.change_kinds({EVERYBODYS: 1, OF_FIVE: 0})
    assert (first.done(), second.done(), pool.places[EVERYBODYS]) == (False, False, 0)
    if leaves:
        first.cancel()
    asked.set()
    await settle()
    assert second.done()
    first.cancel()


async def test_requests_whose_keys_are_busy_offer_one_another_nothing() -> None:
    pool, lent = Pool(place_wait_seconds=30.0), list[int]()
    await pool.change_kinds({EVERYBODYS: 0, OF_FIVE: 0})
    asking = [await pool.ask_for(number, Requirement(number % 2 + 4)) for number in range(40)]

    async def lend(number: int) -> None:
        lent.append(number)
        raise ComptoirError(BUSY_KEY)

    pool.lend = lend
    for _ in range(3):
        lent.clear()
        await pool.change_kinds({EVERYBODYS: 1, OF_FIVE: 0})
        assert len(lent) <= 4 * MOST_IN_VAIN
    for one in asking:
        one.cancel()


@given(STEPS)
def test_whatever_comes_and_goes_no_place_is_idle_that_may_serve_one_who_waits(steps: list[object]) -> None:
    asyncio.run(_any_order(steps))


async def _any_order(steps: list[object]) -> None:
    pool = Pool(place_wait_seconds=30.0)
    asked = list[tuple[Requirement, asyncio.Task[int]]]()
    for number, step in enumerate(steps):
        waiting = [one for one in asked if not one[1].done()]
        if isinstance(step, Requirement):
            asked.append((step, await pool.ask_for(number, step)))
        elif isinstance(step, dict):
            await pool.change_kinds(step)
        elif isinstance(step, int) and step < len(waiting):
            waiting[step][1].cancel()
            await pool.change_kinds(pool.places)
        for required, task in asked:
            free = [kind for kind, places in pool.places.items() if places and kind.may_serve(required)]
            assert task.done() or not free
    for _, task in asked:
        task.cancel()
    await pool.change_kinds({})
    assert pool.is_empty()
