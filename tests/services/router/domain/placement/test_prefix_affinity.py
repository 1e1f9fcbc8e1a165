"""A request goes where its beginning is cached, as long as that saves more than it waits there."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.lease import Process
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.least_work import least_work
from services.router.domain.placement.prefix_affinity import prefix_affinity
from services.router.domain.placement.replica import Load, Replica
from services.router.domain.placement.work import usual_speed, work_seconds
from tests.fakes.router import NOW, ask, busy, replica

SPEED = 1_000
VALVE_SECONDS = 2.0


def asked(
    cached: dict[int, int] | None = None, *, tokens: int = 1_000, prefix: int = 0, after: int = 0
) -> Ask:
    """A prompt of which replicas, by number, have so many tokens."""
    known = {Process(number, 0): count for number, count in (cached or {}).items()}
    one = ask(input_tokens=tokens, after=after)
    return replace(one, cached_tokens=known, prefix=prefix, affinity_seconds=VALVE_SECONDS)


def waiting(number: int, tokens: int) -> Replica:
    """A replica that computes 1,000 tokens a second and has so many to do."""
    load = busy(waiting_input_tokens=tokens, input_tokens_per_second=SPEED)
    return replica(number, load=load, max_requests=256)


def chosen(one: Ask, *replicas: Replica) -> int:
    return prefix_affinity(replicas, one).registration.replica


def test_of_equals_the_one_that_has_the_beginning_gets_it_and_of_two_the_one_with_more() -> None:
    pool = [waiting(number, 0) for number in (1, 2, 3)]
    assert chosen(asked({2: 900}), *pool) == 2
    assert chosen(asked({2: 500, 3: 900}), *pool) == 3


def test_what_is_cached_is_worth_the_time_that_it_saves_and_no_more() -> None:
    assert chosen(asked({2: 900}), waiting(1, 0), waiting(2, 850)) == 2
    assert chosen(asked({2: 900}), waiting(1, 0), waiting(2, 950)) == 1


def test_the_valve_opens_however_much_is_cached() -> None:
    long = asked({2: 50_000}, tokens=60_000)
    assert chosen(long, waiting(1, 0), waiting(2, 1_900)) == 2
    assert chosen(long, waiting(1, 0), waiting(2, 2_100)) == 1


def test_another_process_of_a_replica_has_nothing_of_what_the_last_one_had() -> None:
    assert chosen(asked({2: 900}), waiting(1, 0), replica(2, incarnation=1, load=waiting(2, 0).load)) == 1


@pytest.mark.parametrize("prefix", [1, 2**63, 2**64 - 1])
def test_a_beginning_that_nobody_has_goes_to_the_same_one_of_equals_whoever_went_before(prefix: int) -> None:
    pool = [waiting(number, 0) for number in range(1, 9)]
    firsts = {chosen(asked(prefix=prefix, after=after), *pool) for after in range(9)}
    assert len(firsts) == 1
    others = [one for one in pool if one.registration.replica not in firsts]
    rest = {chosen(asked(prefix=prefix), *others, waiting(9, 10_000)) for _ in range(3)}
    assert len(rest) == 1


def test_beginnings_that_nobody_has_spread_over_all() -> None:
    pool = [waiting(number, 0) for number in range(1, 9)]
    firsts = Counter(chosen(asked(prefix=prefix << 40), *pool) for prefix in range(1, 801))
    assert len(firsts) == 8
    assert max(firsts.values()) < 150


loads = st.builds(
    busy,
    running=st.integers(0, 10),
    waiting=st.integers(0, 10),
    kv_usage_permille=st.integers(0, 1000),
    waiting_input_tokens=st.none() | st.integers(0, 100_000),
    input_tokens_per_second=st.none() | st.integers(1, 100_000),
)
pools = st.lists(loads, min_size=1, max_size=5)
anything = st.dictionaries(st.integers(1, 6), st.integers(0, 100_000), max_size=6)


def _pool(said: list[Load]) -> list[Replica]:
    return [replica(number, load=load, max_requests=256) for number, load in enumerate(said, start=1)]


@given(pools, anything, st.integers(0, 2**64 - 1), st.integers(1, 100_000))
def test_nobody_gets_a_request_who_has_more_work_than_another_beyond_the_valve(
    said: list[Load], cached: dict[int, int], prefix: int, tokens: int
) -> None:
    pool, one = _pool(said), asked(cached, tokens=tokens, prefix=prefix)
    usual = usual_speed(pool)
    least = min(work_seconds(other, one, usual) for other in pool)
    assert work_seconds(prefix_affinity(pool, one), one, usual) <= least + VALVE_SECONDS + 1e-3


@given(pools, st.integers(0, 6), st.integers(1, 100_000))
def test_without_a_beginning_it_is_least_work(said: list[Load], after: int, tokens: int) -> None:
    pool, one = _pool(said), asked(tokens=tokens, after=after)
    assert prefix_affinity(pool, one) == least_work(pool, one)


@given(pools, anything, st.integers(1, 2**64 - 1), st.floats(5.1, 1e6))
def test_a_stale_report_attracts_nobody_whatever_is_cached(
    others: list[Load], cached: dict[int, int], prefix: int, age_seconds: float
) -> None:
    stale = replica(9, load=busy(running=1, input_tokens_per_second=10**9, age_seconds=age_seconds))
    one = asked({**cached, 9: 100_000}, tokens=100_000, prefix=prefix)
    assert chosen(one, stale, *_pool(others)) != 9


@given(st.integers(100, 100_000), st.integers(2, 5), st.integers(1, 2**64 - 1))
def test_no_replica_starves_while_one_that_has_everything_is_busy(
    tokens: int, replicas: int, prefix: int
) -> None:
    pool = [waiting(number, 0) for number in range(1, replicas + 1)]
    served = Counter[int]()
    most_seconds = 4 * VALVE_SECONDS * replicas
    while len(served) < replicas and served.total() * tokens / SPEED < most_seconds + replicas * tokens:
        one = prefix_affinity(pool, asked({1: tokens}, tokens=tokens, prefix=prefix))
        served[one.registration.replica] += 1
        assert one.backlog is not None
        # Nothing was cached after all: every token is to be computed.
        backlog = one.backlog.with_more(tokens, NOW)
        pool[pool.index(one)] = replace(one, in_flight=one.in_flight + 1, backlog=backlog)
    assert set(served) == set(range(1, replicas + 1))
