"""One after the other, whatever they do, and whichever comes or goes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.placement.round_robin import round_robin
from tests.fakes.router import ask, busy, replica


def chosen(numbers: list[int], after: int) -> int:
    replicas = [replica(number, load=busy(running=number)) for number in numbers]
    return round_robin(replicas, ask(after=after)).registration.replica


def test_the_next_number_has_the_turn_and_after_the_last_one_the_first() -> None:
    assert chosen([3, 9, 7], after=0) == 3
    assert chosen([3, 9, 7], after=3) == 7
    assert chosen([3, 9, 7], after=9) == 3


def test_a_replica_that_is_full_for_a_while_changes_no_other_ones_turn() -> None:
    assert chosen([3, 9], after=7) == 9
    assert chosen([3, 9], after=3) == 9


@given(st.sets(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 200))
def test_no_replica_gets_more_than_one_request_beyond_another(numbers: set[int], requests: int) -> None:
    served, last = Counter(dict.fromkeys(numbers, 0)), 0
    for _ in range(requests):
        last = chosen(list(numbers), after=last)
        served[last] += 1
    assert max(served.values()) - min(served.values()) <= 1
