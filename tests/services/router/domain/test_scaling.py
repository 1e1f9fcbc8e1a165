"""More replicas at once where requests pile up, fewer late, none where nobody asks, within the bounds."""

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.scaling import Demand, Scaling, ScalingRules, wanted_replicas

RULES = ScalingRules(
    model="m",
    min_replicas=0,
    max_replicas=8,
    requests_per_replica=10,
    first_token_seconds=2.0,
    down_seconds=60.0,
    idle_seconds=100.0,
)
COUNTS = st.integers(0, 500)
DEMANDS = st.builds(
    Demand,
    open_requests=COUNTS,
    queued_requests=COUNTS,
    held_requests=COUNTS,
    ready_replicas=st.integers(0, 20),
    starting_replicas=st.integers(0, 3),
    failing_replicas=st.integers(0, 30),
    ended_per_second=st.floats(0, 1000),
)
BOUNDS = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(
    lambda two: RULES.model_copy(update={"min_replicas": two[0], "max_replicas": max(1, sum(two))})
)


def after_long(rules: ScalingRules = RULES) -> Scaling:
    """One that has been idle for longer than anything is kept."""
    scaling = Scaling(rules, started_at_seconds=0.0)
    scaling.decide(Demand(), 1_000.0)
    return scaling


def test_each_replica_is_to_have_so_many_requests_and_held_ones_count() -> None:
    assert wanted_replicas(Demand(open_requests=10, ready_replicas=1), RULES) == 1
    assert wanted_replicas(Demand(open_requests=11, ready_replicas=1), RULES) == 2
    assert wanted_replicas(Demand(open_requests=5, held_requests=16, ready_replicas=1), RULES) == 3
    assert wanted_replicas(Demand(held_requests=1), RULES) == 1


def test_a_queue_that_lasts_longer_than_a_first_token_may_asks_for_more() -> None:
    busy = Demand(open_requests=20, queued_requests=12, ready_replicas=4, ended_per_second=4.0)
    # 12 wait and 4 end in a second: 3 s instead of 2.
    assert wanted_replicas(busy, RULES) == 6
    in_time = Demand(open_requests=20, queued_requests=8, ready_replicas=4, ended_per_second=4.0)
    assert wanted_replicas(in_time, RULES) == 2
    # However long it is, no more than twice as many at once.
    long = Demand(open_requests=20, queued_requests=400, ready_replicas=3, ended_per_second=1.0)
    assert wanted_replicas(long, RULES) == 6


def test_the_pace_says_nothing_where_nothing_ended_or_nothing_is_ready() -> None:
    stuck = Demand(open_requests=3, queued_requests=3, ready_replicas=1)
    assert wanted_replicas(stuck, RULES) == 1
    loading = Demand(held_requests=3, starting_replicas=1, ended_per_second=0.1)
    assert wanted_replicas(loading, RULES) == 1


@given(DEMANDS, BOUNDS, st.floats(0, 10_000))
def test_no_demand_leads_out_of_the_bounds(demand: Demand, rules: ScalingRules, now: float) -> None:
    decision = Scaling(rules, started_at_seconds=0.0).decide(demand, now)
    assert rules.min_replicas <= decision.desired <= rules.max_replicas
    assert decision.is_active == (decision.desired > 0)


@given(st.lists(st.tuples(DEMANDS, st.floats(0, 200)), min_size=1, max_size=20), BOUNDS)
def test_what_anybody_waits_for_or_what_loads_is_never_scaled_to_zero(
    steps: list[tuple[Demand, float]], rules: ScalingRules
) -> None:
    scaling, now, wanted = Scaling(rules, started_at_seconds=0.0), 0.0, list[tuple[float, int]]()
    for demand, pause in steps:
        now += pause
        decision = scaling.decide(demand, now)
        wanted.append((now, wanted_replicas(demand, rules)))
        late = max(count for at, count in wanted if now - at <= rules.down_seconds)
        if demand.requests or demand.starting_replicas:
            assert decision.desired >= max(1, late)
        # Up at once; down no sooner than nobody wanted more for so long.
        if decision.desired:
            assert decision.desired >= late


def test_it_goes_up_at_once_and_down_when_nobody_wanted_more_for_a_while() -> None:
    scaling = after_long()
    assert scaling.decide(Demand(open_requests=75, ready_replicas=1), 1_000.0).desired == 8
    assert scaling.decide(Demand(open_requests=15, ready_replicas=8), 1_020.0).desired == 8
    assert scaling.decide(Demand(open_requests=35, ready_replicas=8), 1_050.0).desired == 8
    assert scaling.decide(Demand(open_requests=15, ready_replicas=8), 1_061.0).desired == 4
    assert scaling.decide(Demand(open_requests=15, ready_replicas=4), 1_111.0).desired == 2


def test_the_last_replica_goes_after_the_model_was_idle_and_one_request_brings_it_back() -> None:
    scaling = after_long()
    assert not scaling.decide(Demand(), 1_000.0).is_active
    assert scaling.decide(Demand(held_requests=1), 1_010.0).desired == 1
    assert scaling.decide(Demand(ready_replicas=1), 1_109.0).is_active
    idle = scaling.decide(Demand(ready_replicas=1), 1_110.0)
    assert (idle.desired, idle.is_active) == (0, False)


def test_a_replica_that_loads_is_active_although_whoever_asked_has_given_up() -> None:
    scaling = after_long()
    scaling.decide(Demand(held_requests=1), 1_000.0)
    assert scaling.decide(Demand(starting_replicas=1), 1_500.0).is_active
    assert scaling.decide(Demand(ready_replicas=1), 1_599.0).is_active
    assert not scaling.decide(Demand(ready_replicas=1), 1_600.0).is_active


def test_a_router_that_has_just_started_takes_no_replica_away() -> None:
    scaling = Scaling(RULES, started_at_seconds=500.0)
    assert scaling.decide(Demand(ready_replicas=5), 500.0).desired == 5
    assert scaling.decide(Demand(ready_replicas=5), 559.0).desired == 5
    assert scaling.decide(Demand(ready_replicas=5), 625.0).desired == 0


def test_a_router_that_has_just_started_starts_no_replica_that_nobody_asks_for() -> None:
    scaling = Scaling(RULES, started_at_seconds=500.0)
    idle = scaling.decide(Demand(), 500.0)
    assert (idle.desired, idle.is_active) == (0, False)
    # It was slow to register: who had it started is not known, and it is kept as if that had been now.
    assert scaling.decide(Demand(ready_replicas=1), 505.0).is_active
    assert scaling.decide(Demand(ready_replicas=1), 604.0).is_active
    assert not scaling.decide(Demand(ready_replicas=1), 605.0).is_active


def test_a_model_that_always_has_one_has_one_when_nobody_asks() -> None:
    rules = RULES.model_copy(update={"min_replicas": 2})
    assert after_long(rules).decide(Demand(), 5_000.0).desired == 2


def test_a_replica_that_does_not_become_ready_is_replaced_where_others_of_its_model_serve() -> None:
    rules = RULES.model_copy(update={"min_replicas": 2, "max_replicas": 5})
    assert after_long(rules).decide(Demand(ready_replicas=2), 1_000.0).desired == 2
    assert after_long(rules).decide(Demand(ready_replicas=1, failing_replicas=1), 1_000.0).desired == 3
    busy = Demand(open_requests=25, ready_replicas=2, failing_replicas=1)
    assert after_long(rules).decide(busy, 1_000.0).desired == 4
    many = Demand(open_requests=25, ready_replicas=2, failing_replicas=9)
    assert after_long(rules).decide(many, 1_000.0).desired == 5, "as many as serve, and max_replicas at most"


def test_where_no_replica_of_a_model_serves_more_of_those_that_fail_are_not_started() -> None:
    held = Demand(held_requests=1, failing_replicas=3)
    assert after_long().decide(held, 1_000.0).desired == 1


def test_a_replica_that_does_not_become_ready_keeps_no_model_active() -> None:
    scaling = after_long()
    scaling.decide(Demand(held_requests=1), 1_000.0)
    assert scaling.decide(Demand(failing_replicas=1), 1_099.0).is_active
    assert not scaling.decide(Demand(failing_replicas=1), 1_100.0).is_active


def test_a_replica_that_does_not_become_ready_does_not_keep_late_first_tokens_from_more_replicas() -> None:
    rules = RULES.model_copy(update={"min_replicas": 3, "ttft_p95_seconds": 1.0})
    late = Demand(ready_replicas=2, failing_replicas=1, ttft_p95_seconds=3.0)
    scaling = after_long(rules)
    desired = [scaling.decide(late, 1_000.0 + second).desired for second in range(62)]
    # Two serve and a third is replaced; once first tokens were late for a minute, one more.
    assert (desired[0], desired[-1]) == (4, 4)
    grown = Demand(ready_replicas=3, failing_replicas=1, ttft_p95_seconds=3.0)
    assert [scaling.decide(grown, 1_070.0 + second).desired for second in (0, 61)] == [4, 5]
