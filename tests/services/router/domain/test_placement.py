"""Requests go where the least work waits, never where they cannot run."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.placement import (
    Load,
    Placement,
    Replica,
    check_fit,
    outstanding,
    place,
    predicted_kv_blocks,
    score,
)
from tests.fakes.router import IDLE, POLICY, registration

NOW = 100.0


def replica(
    number: int,
    *,
    load: Load | None = IDLE,
    at: float = NOW,
    in_flight: int = 0,
    offset: float | None = None,
    **limits: int,
) -> Replica:
    return Replica(registration(number, **limits), load, at, in_flight, clock_offset_seconds=offset)


def chosen(*replicas: Replica, tokens: int = 100, rotation: int = 0) -> list[int]:
    return [placement.replica for placement in _place(*replicas, tokens=tokens, rotation=rotation)]


def _place(*replicas: Replica, tokens: int = 100, rotation: int = 0) -> list[Placement]:
    return place(replicas, tokens, now_seconds=NOW, terms=POLICY.ready, rotation=rotation)


def refused(*replicas: Replica, tokens: int = 100) -> Reason:
    with pytest.raises(ComptoirError) as refusal:
        _place(*replicas, tokens=tokens)
    assert refusal.value.retry_after_seconds > 0
    return refusal.value.reason


def busy(running: int = 0, waiting: int = 0, kv_usage_permille: int = 0, age_seconds: float = 0) -> Load:
    return Load(running, waiting, kv_usage_permille, age_seconds, is_draining=False)


def test_without_replicas_there_is_none() -> None:
    assert refused() is Reason.NO_REPLICA


@pytest.mark.parametrize(
    "unready",
    [
        replica(1, load=None),
        replica(1, at=NOW - 5.1),
        replica(1, load=Load(0, 0, 0, 0.0, is_draining=True)),
        replica(1, kv_blocks=6),
        replica(1, offset=-10.0),
        replica(1, offset=5.1),
    ],
    ids=["said nothing", "silent", "draining", "too small", "slow clock", "fast clock"],
)
def test_a_replica_that_is_not_ready_gets_nothing(unready: Replica) -> None:
    assert refused(unready) is Reason.NO_REPLICA
    assert chosen(unready, replica(2)) == [2]


@pytest.mark.parametrize("offset", [None, -5.0, 0.0, 5.0])
def test_a_clock_within_what_tickets_allow_is_right(offset: float | None) -> None:
    assert chosen(replica(1, offset=offset)) == [1]


@pytest.mark.parametrize("full", [replica(1, in_flight=4), replica(1, load=busy(running=3, waiting=1))])
def test_a_full_replica_gets_nothing(full: Replica) -> None:
    assert refused(full) is Reason.REPLICA_OVERLOADED
    assert chosen(full, replica(2)) == [2]


def test_the_least_busy_comes_first_and_three_are_offered() -> None:
    assert chosen(replica(1, in_flight=3), replica(2, in_flight=1), replica(3, in_flight=2), replica(4)) == [
        4,
        2,
        3,
    ]


def test_waiting_requests_weigh_more_than_running_ones() -> None:
    assert chosen(replica(1, load=busy(waiting=2)), replica(2, load=busy(running=2))) == [2, 1]


def test_a_fuller_cache_comes_later() -> None:
    assert chosen(replica(1, load=busy(kv_usage_permille=900)), replica(2, load=busy(running=2))) == [2, 1]


def test_old_numbers_of_an_engine_do_not_mean_idle() -> None:
    silent = replica(1, load=busy(waiting=1, age_seconds=60))
    assert chosen(silent, replica(2, load=busy(running=2))) == [2, 1]


def test_a_replica_that_was_idle_for_long_is_not_a_silent_one() -> None:
    assert chosen(replica(1, load=busy(age_seconds=60)), replica(2, load=busy(running=1))) == [1, 2]
    woken = replica(1, load=busy(age_seconds=60), in_flight=1)
    assert chosen(woken, replica(2, load=busy(running=2))) == [1, 2]


class Pool:
    """Replicas that make an engine step and a report every 0.1 s; none did anything for 30 s."""

    def __init__(self, *steps_per_request: int) -> None:
        self.steps_per_request = dict(enumerate(steps_per_request, start=1))
        self.open: dict[int, list[int]] = {number: [] for number in self.steps_per_request}
        self.said = dict.fromkeys(self.open, busy(age_seconds=30))
        self.served: Counter[int] = Counter()

    def send(self, count: int = 1) -> None:
        """Place requests by what the replicas said last and what was sent there."""
        for _ in range(count):
            replicas = [
                replica(number, load=self.said[number], in_flight=len(left), max_requests=256)
                for number, left in self.open.items()
            ]
            number = chosen(*replicas, rotation=self.served.total())[0]
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
    replicas = [replica(number) for number in (3, 1, 2)]
    firsts = Counter(chosen(*replicas, rotation=rotation)[0] for rotation in range(30))
    assert firsts == {1: 10, 2: 10, 3: 10}


def test_predicted_blocks_ride_along() -> None:
    assert [one.predicted_kv_blocks for one in _place(replica(1), tokens=33)] == [3]


@given(st.integers(1, 10**6), st.integers(1, 512))
def test_predicted_blocks_hold_the_tokens_and_no_block_is_empty(tokens: int, block_tokens: int) -> None:
    on = registration(1, context_tokens=10**7, kv_block_tokens=block_tokens)
    blocks = predicted_kv_blocks(tokens, on)
    assert (blocks - 1) * block_tokens < tokens <= blocks * block_tokens


def test_a_sequence_never_needs_more_than_its_context() -> None:
    assert predicted_kv_blocks(5_000, registration(1)) == 64


def test_an_unknown_block_size_predicts_nothing() -> None:
    assert predicted_kv_blocks(5_000, registration(1, kv_block_tokens=0, kv_blocks=0)) == 0


def test_a_request_that_no_replica_could_hold_is_too_long() -> None:
    small = replica(1, kv_blocks=2)
    with pytest.raises(ComptoirError) as refusal:
        check_fit([small], 100)
    assert refusal.value.reason is Reason.CONTEXT_TOO_LONG
    check_fit([small, replica(2, kv_blocks=0)], 100)
    check_fit([], 100)


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 10), st.integers(0, 1000))
def test_more_work_never_scores_better(running: int, waiting: int, in_flight: int, permille: int) -> None:
    one = replica(1, load=busy(running, waiting, permille), in_flight=in_flight)
    more = replica(1, load=busy(running + 1, waiting + 1, permille), in_flight=in_flight + 1)
    assert outstanding(more) > outstanding(one)
    assert score(more, 5) > score(one, 5)


def test_a_replica_without_a_report_counts_what_was_sent_there() -> None:
    assert outstanding(replica(1, load=None, in_flight=3)) == 3
