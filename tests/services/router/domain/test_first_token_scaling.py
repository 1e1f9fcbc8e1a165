"""Replicas grow by steps while first tokens take too long, shrink one by one, and do not flap."""

import itertools
import math
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.first_token_scaling import Bounds, FirstTokenScaling
from services.router.domain.scaling import Decision, Demand, Scaling, ScalingRules

BOUNDS = Bounds(ttft_p95_seconds=1.0, down_seconds=300.0, max_replicas=20)
RULES = ScalingRules(
    model="m", min_replicas=1, max_replicas=20, requests_per_replica=1_000, ttft_p95_seconds=1.0
)
# Of simulated time.
STEP_SECONDS = 5
P95S = st.none() | st.floats(0, 5)


def after(p95: float | None, *, ready: int, seconds: int, starting: int = 0, start: int = 4) -> int:
    """What is wanted after so long with the same numbers, by decisions every second."""
    scaling, wanted = FirstTokenScaling(BOUNDS), 0
    scaling.decide(0.7, ready=start, starting=0, now_seconds=-1.0)
    for second in range(seconds + 1):
        wanted = scaling.decide(p95, ready=ready, starting=starting, now_seconds=float(second))
    return wanted


def test_a_step_is_a_quarter_and_waits_for_what_the_step_before_asked_for() -> None:
    assert after(1.5, ready=4, seconds=30) == 4, "what is there has not been counted for a minute"
    assert after(1.5, ready=4, seconds=60) == 5
    assert after(1.5, ready=4, seconds=3_000) == 5, "the fifth is not ready"
    assert after(1.5, ready=4, starting=1, seconds=3_000) == 4
    assert after(1.5, ready=16, start=16, seconds=60) == 20
    assert after(1.5, ready=20, start=20, seconds=3_000) == 20


def test_one_fewer_is_wanted_after_long_calm_and_none_where_nobody_waits() -> None:
    assert after(0.4, ready=4, seconds=299) == 4
    assert after(0.4, ready=4, seconds=300) == 3
    assert after(0.4, ready=4, seconds=900) == 3, "the fourth is still there"
    assert after(None, ready=4, seconds=299) == 4
    assert after(None, ready=4, seconds=300) == 0


def test_between_half_of_the_target_and_the_target_nothing_changes() -> None:
    for p95 in (0.51, 0.8, 1.0):
        assert after(p95, ready=4, seconds=10_000) == 4


@given(st.lists(st.tuples(P95S, st.integers(0, 30), st.integers(0, 3), st.floats(0, 400)), max_size=60))
def test_no_step_is_larger_than_a_quarter_or_leads_out_of_the_bounds(
    seen: list[tuple[float | None, int, int, float]],
) -> None:
    # A router that has just started wants what it finds.
    scaling, now, before = FirstTokenScaling(BOUNDS), 60.0, None
    scaling.decide(None, ready=4, starting=0, now_seconds=0.0)
    for p95, ready, starting, pause in seen:
        now += pause
        wanted = scaling.decide(p95, ready=ready, starting=starting, now_seconds=now)
        assert 0 <= wanted <= BOUNDS.max_replicas
        if before is not None and wanted > before:
            assert p95 is not None
            assert p95 > BOUNDS.ttft_p95_seconds
            assert wanted <= ready + max(1, math.ceil(ready / 4))
        before = wanted


@given(st.lists(st.tuples(P95S, st.integers(0, 50), st.integers(0, 20), st.floats(0, 400)), max_size=40))
def test_the_target_only_adds_to_what_requests_ask_for(
    seen: list[tuple[float | None, int, int, float]],
) -> None:
    without = Scaling(RULES.model_copy(update={"ttft_p95_seconds": None}), 0.0)
    scaling, now = Scaling(RULES, 0.0), 0.0
    for p95, requests, ready, pause in seen:
        now += pause
        demand = Demand(open_requests=requests, ready_replicas=ready, ttft_p95_seconds=p95)
        assert without.decide(demand, now).desired <= scaling.decide(demand, now).desired <= 20


class Cluster:
    """Replicas that take a minute to start, and first tokens that take longer the busier they are."""

    def __init__(self) -> None:
        self.scaling = Scaling(RULES, 0.0)
        self.ready, self.starting = 2, deque[float]()
        self.lately = deque[float](maxlen=60 // STEP_SECONDS)
        self.desired: list[int] = []
        self.slow_seconds = 0

    def step(self, now: float, requests_per_second: float) -> Decision:
        while self.starting and self.starting[0] <= now:
            self.starting.popleft()
            self.ready += 1
        busy = min(0.98, requests_per_second / (10 * self.ready))
        self.lately.append(0.1 / (1 - busy))
        p95 = sorted(self.lately)[math.ceil(0.95 * len(self.lately)) - 1]
        self.slow_seconds += STEP_SECONDS * (p95 > 1.0)
        demand = Demand(
            open_requests=round(requests_per_second),
            ready_replicas=self.ready,
            starting_replicas=len(self.starting),
            ttft_p95_seconds=p95 if len(self.lately) > 4 else None,
        )
        decision = self.scaling.decide(demand, now)
        there = self.ready + len(self.starting)
        self.starting.extend(now + 60 for _ in range(decision.desired - there))
        if decision.desired < there and not self.starting:
            self.ready = decision.desired
        self.desired.append(decision.desired)
        return decision


def changes(numbers: list[int]) -> list[tuple[int, int]]:
    """When a number changed, and by how much."""
    pairs = itertools.pairwise(numbers)
    return [(second, after - before) for second, (before, after) in enumerate(pairs) if after != before]


def test_a_constant_load_ends_in_a_constant_number_that_keeps_the_target() -> None:
    cluster = Cluster()
    for second in range(0, 4 * 3600, STEP_SECONDS):
        cluster.step(float(second), 70.0)
    last_hours = cluster.desired[2 * 3600 // STEP_SECONDS :]
    assert changes(last_hours) == []
    # 10 requests a second for each, and 0.9 of that is a first token in a second.
    assert 8 <= last_hours[0] <= 10
    assert cluster.slow_seconds < 30 * 60


def test_over_a_day_with_a_wave_replicas_follow_and_first_tokens_are_late_for_little_of_it() -> None:
    cluster = Cluster()
    for second in range(0, 24 * 3600, STEP_SECONDS):
        cluster.step(float(second), 60 + 50 * math.sin(second / 86_400 * 2 * math.pi))
    steps = [step for _, step in changes(cluster.desired)]
    assert min(steps) == -1
    assert len(steps) < 70
    assert (max(cluster.desired), min(cluster.desired)) == (15, 1)
    assert cluster.slow_seconds < 0.05 * 24 * 3600


def test_what_was_too_few_is_tried_again_ever_more_rarely() -> None:
    cluster = Cluster()
    for second in range(0, 24 * 3600, STEP_SECONDS):
        # With two a fifth of the target, with one five times as much.
        cluster.step(float(second), 10.0)
    again = [second for second, step in changes(cluster.desired) if step < 0]
    assert len(again) < 10
    pauses = [later - earlier for earlier, later in itertools.pairwise(again)]
    assert pauses[-1] > 8 * pauses[0]


def test_a_short_burst_makes_few_steps_and_they_go_again() -> None:
    cluster = Cluster()
    for second in range(0, 2 * 3600, STEP_SECONDS):
        cluster.step(float(second), 80.0 if 1_000 <= second < 1_090 else 10.0)
    assert max(cluster.desired) <= 4
    assert cluster.desired[-1] <= 2


def test_a_router_that_starts_before_its_replicas_report_lets_none_of_them_go() -> None:
    """Their reports come seconds later; first tokens take less than they may with all of them."""
    scaling = Scaling(RULES, 0.0)
    for second in range(2_000):
        ready = 0 if second < 5 else 6
        demand = Demand(open_requests=10, ready_replicas=ready, ttft_p95_seconds=0.8 if ready else None)
        decision = scaling.decide(demand, float(second))
    assert decision.desired == 6
