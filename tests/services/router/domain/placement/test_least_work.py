"""Requests go where the least work waits."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.placement.least_work import least_work, score
from services.router.domain.placement.replica import Replica, outstanding
from tests.fakes.router import busy, replica


def chosen(*replicas: Replica, after: int = 0) -> int:
    return least_work(replicas, after, 5.0).registration.replica


def test_the_least_busy_comes_first() -> None:
    assert chosen(replica(1, in_flight=3), replica(2, in_flight=1), replica(3)) == 3


def test_waiting_requests_weigh_more_than_running_ones() -> None:
    assert chosen(replica(1, load=busy(waiting=2)), replica(2, load=busy(running=2))) == 2


def test_a_fuller_cache_comes_later() -> None:
    assert chosen(replica(1, load=busy(kv_usage_permille=900)), replica(2, load=busy(running=2))) == 2


def test_old_numbers_of_an_engine_do_not_mean_idle() -> None:
    silent = replica(1, load=busy(waiting=1, age_seconds=60))
    assert chosen(silent, replica(2, load=busy(running=2))) == 2


def test_a_replica_that_was_idle_for_long_is_not_a_silent_one() -> None:
    assert chosen(replica(1, load=busy(age_seconds=60)), replica(2, load=busy(running=1))) == 1
    woken = replica(1, load=busy(age_seconds=60), in_flight=1)
    assert chosen(woken, replica(2, load=busy(running=2))) == 1


class Pool:
    """Replicas that make an engine step and a report every 0.1 s; none did anything for 30 s."""

    def __init__(self, *steps_per_request: int) -> None:
        self.steps_per_request = dict(enumerate(steps_per_request, start=1))
        self.open: dict[int, list[int]] = {number: [] for number in self.steps_per_request}
        self.said = dict.fromkeys(self.open, busy(age_seconds=30))
        self.served: Counter[int] = Counter()
        self.last = 0

    def send(self, count: int = 1) -> None:
        """Place requests by what the replicas said last and what was sent there."""
        for _ in range(count):
            replicas = [
                replica(number, load=self.said[number], in_flight=len(left), max_requests=256)
                for number, left in self.open.items()
            ]
            number = self.last = chosen(*replicas, after=self.last)
            self.open[number].append(self.steps_per_request[number])

    def step(self) -> int:
        """Let the engines work for 0.1 s and return how many requests ended."""
        before = self.served.total()
        for number, left in self.open.items():
            age_seconds = 0.0 if left else self.said[number].age_seconds + 0.1
            self.served[number] += left.count(1)
            self.open[number] = [steps - 1 for steps in left if steps > 1]
            self.said[number] = busy(running=len(self.open[number]), age_seconds=age_seconds)
        return self.served.total() - before


def test_two_equal_replicas_share_100_callers_although_only_one_was_awake() -> None:
    pool = Pool(2, 2)
    pool.send()
    pool.step()
    pool.send(99)
    while pool.served.total() < 530:
        pool.send(pool.step())
    assert 0.45 < pool.served[1] / pool.served.total() < 0.55


def test_a_ten_times_slower_replica_does_not_collect_everybody_while_the_fast_one_idles() -> None:
    pool = Pool(20, 2)
    pool.send()
    pool.step()
    pool.send(39)
    for _ in range(200):
        pool.send(pool.step())
        assert len(pool.open[1]) <= 21
    assert pool.served[2] > 8 * pool.served[1]


def test_equals_take_turns() -> None:
    replicas, firsts, last = [replica(number) for number in (3, 1, 2)], Counter[int](), 0
    for _ in range(30):
        last = chosen(*replicas, after=last)
        firsts[last] += 1
    assert firsts == {1: 10, 2: 10, 3: 10}


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10), st.integers(0, 1000))
def test_more_work_never_scores_better(running: int, waiting: int, in_flight: int, permille: int) -> None:
    one = replica(1, load=busy(running, waiting, permille), in_flight=in_flight)
    more = replica(1, load=busy(running + 1, waiting + 1, permille), in_flight=in_flight + 1)
    assert outstanding(more) > outstanding(one)
    assert score(more, 5) > score(one, 5)
