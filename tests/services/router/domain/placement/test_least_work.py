"""Requests go where the least work waits."""

from collections import Counter
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from services.router.domain.placement.least_work import least_work
from services.router.domain.placement.replica import Load, Replica
from tests.fakes.router import NOW, ask, busy, replica


def chosen(*replicas: Replica, after: int = 0) -> int:
    return least_work(replicas, ask(after=after)).registration.replica


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


loads = st.builds(
    busy,
    running=st.integers(0, 10),
    waiting=st.integers(0, 10),
    kv_usage_permille=st.integers(0, 1000),
    waiting_input_tokens=st.none() | st.integers(0, 100_000),
    input_tokens_per_second=st.none() | st.integers(1, 100_000),
)


@given(loads, st.integers(0, 10))
def test_an_idle_replica_is_never_worse_than_a_busy_one_as_fast(load: Load, in_flight: int) -> None:
    assume(load.held_requests + in_flight > 0)
    idle = busy(input_tokens_per_second=load.input_tokens_per_second)
    assert chosen(replica(1, load=load, in_flight=in_flight, max_requests=256), replica(2, load=idle)) == 2


@given(st.lists(loads, min_size=1, max_size=4), st.floats(5.1, 1e6))
def test_a_stale_report_attracts_nobody(others: list[Load], age_seconds: float) -> None:
    stale = replica(9, load=busy(running=1, input_tokens_per_second=10**9, age_seconds=age_seconds))
    rest = [replica(number, load=load) for number, load in enumerate(others, start=1)]
    assert chosen(stale, *rest) != 9


@given(st.integers(1, 100_000), st.integers(1, 5))
def test_no_replica_starves_that_is_not_slower(tokens: int, replicas: int) -> None:
    pool = [replica(number, load=busy(input_tokens_per_second=5_000)) for number in range(1, replicas + 1)]
    served: Counter[int] = Counter()
    last = 0
    for _ in range(replicas):
        one = least_work(pool, ask(input_tokens=tokens, after=last))
        last = one.registration.replica
        served[last] += 1
        assert one.backlog is not None
        backlog = one.backlog.with_more(tokens, NOW)
        pool[pool.index(one)] = replace(one, in_flight=one.in_flight + 1, backlog=backlog)
    assert set(served) == {one.registration.replica for one in pool}


def test_replicas_that_are_about_as_fast_take_turns_where_all_are_idle() -> None:
    pool = [replica(n, load=busy(input_tokens_per_second=10_000 + 100 * n)) for n in (1, 2, 3)]
    assert [chosen(*pool, after=after) for after in (0, 1, 2, 3)] == [1, 2, 3, 1]


def test_a_long_prompt_that_waits_weighs_more_than_many_short_ones() -> None:
    long = busy(waiting=1, waiting_input_tokens=30_000, input_tokens_per_second=10_000)
    short = busy(waiting=3, waiting_input_tokens=300, input_tokens_per_second=10_000)
    assert chosen(replica(1, load=long), replica(2, load=short)) == 2


def test_a_slow_replica_has_less_to_do_and_still_comes_later() -> None:
    slow = busy(waiting=1, waiting_input_tokens=1_000, input_tokens_per_second=500)
    fast = busy(waiting=2, waiting_input_tokens=5_000, input_tokens_per_second=10_000)
    assert chosen(replica(1, load=slow), replica(2, load=fast)) == 2


def test_speed_that_is_unknown_is_that_of_the_others_and_never_zero() -> None:
    fast = busy(running=1, waiting_input_tokens=0, input_tokens_per_second=10_000)
    assert chosen(replica(1, load=fast), replica(2)) == 2
    assert chosen(replica(1), replica(2, load=fast)) == 1
