"""So many requests are held at most, and nobody's are all of them."""

import math

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.held_requests import HeldRequests
from services.router.domain.place_turns import Asker, Waiting

KEYS, PRIORITIES = st.integers(1, 3), st.sampled_from([0, 10, 20])


def waiting(key: int, priority: int, most_of_key: int = 99) -> Waiting:
    asker = Asker(1, key, priority, most_of_key, lambda: math.inf)
    return Waiting(0.0, 1, asker, 0.0, ComptoirError(Reason.NO_REPLICA))


def test_one_that_is_held_is_held_once() -> None:
    held, one = HeldRequests(2), waiting(1, 10)
    assert held.hold(one)
    assert held.hold(one)
    assert held.count == 1
    held.leave(one)
    held.leave(waiting(1, 10))
    assert held.count == 0


@given(st.lists(st.tuples(KEYS, PRIORITIES), max_size=30), st.integers(1, 8), st.integers(1, 6))
def test_no_more_are_held_than_may_be_of_all_of_a_key_and_of_batch(
    asking: list[tuple[int, int]], most: int, most_of_key: int
) -> None:
    held, all_of_them = HeldRequests(most), [waiting(*one, most_of_key) for one in asking]
    inside = [one for one in all_of_them if held.hold(one)]
    assert held.count == len(inside) <= most
    assert sum(one.is_batch for one in inside) <= most // 2
    for key in (1, 2, 3):
        assert sum(one.asker.key == key for one in inside) <= most_of_key
    for one in inside:
        held.leave(one)
    assert held.count == 0
