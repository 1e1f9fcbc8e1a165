"""Everybody in a line gets a turn, whatever those before wait for."""

import pytest

from services.router.domain.place_turns import MOST_IN_VAIN
from tests.services.router.domain.waiting_pool import Pool


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
