"""The default places as well as one who knows every length, in simulated time."""

import pytest

from services.router.domain.limits import PlacementRules
from tests.bench.placement.arrivals import SHAPES, arrivals
from tests.bench.placement.contest import HEALTHY, HUNG, SLOW, run
from tests.bench.placement.tables import HEAD, rows_of

STEADY, _, HEAVY, SHARED = SHAPES
DEFAULT = PlacementRules().policy.value
# A seed that the default was not chosen by.
SEED = 7


def test_the_same_seed_is_the_same_run() -> None:
    assert run(STEADY, 2, SLOW, "least_work") == run(STEADY, 2, SLOW, "least_work")
    assert [*arrivals(HEAVY, replicas=2, seconds=5, seed=1)] != [
        *arrivals(HEAVY, replicas=2, seconds=5, seed=2)
    ]


@pytest.mark.parametrize("condition", [HEALTHY, SLOW, HUNG])
def test_under_skewed_lengths_the_default_is_far_better_than_round_robin_and_close_to_an_oracle(
    condition: str,
) -> None:
    default, turns, oracle = (
        run(HEAVY, 8, condition, policy, seed=SEED) for policy in (DEFAULT, "round_robin", "oracle")
    )
    assert default.ttft_p95 <= 0.7 * turns.ttft_p95
    assert default.ttft_p95 <= 1.2 * oracle.ttft_p95
    assert default.goodput >= turns.goodput
    assert default.unanswered == 0


@pytest.mark.parametrize("condition", [HEALTHY, SLOW, HUNG])
def test_where_prefixes_are_shared_the_default_is_close_to_one_who_knows_every_cache(condition: str) -> None:
    default, least, oracle = (
        run(SHARED, 8, condition, policy, seed=SEED) for policy in (DEFAULT, "least_work", "oracle")
    )
    assert default.ttft_p95 <= 1.2 * oracle.ttft_p95
    assert default.ttft_p95 <= 0.5 * least.ttft_p95
    assert default.goodput >= 0.95 * oracle.goodput
    assert default.unanswered == 0


def test_routers_that_know_nothing_of_each_others_prefixes_are_better_with_affinity_than_without() -> None:
    default, least = (
        run(SHARED, 8, HEALTHY, policy, seed=SEED, routers=2) for policy in (DEFAULT, "least_work")
    )
    assert default.ttft_p95 < least.ttft_p95
    assert default.goodput > 2 * least.goodput


def test_routers_that_share_by_how_prompts_begin_keep_what_each_of_them_learned() -> None:
    one, turns, beginnings = (
        run(SHARED, 8, HEALTHY, DEFAULT, seed=SEED, routers=routers, by_beginning=routers == 3)
        for routers in (1, 2, 3)
    )
    assert beginnings.ttft_p50 <= 1.2 * one.ttft_p50
    assert beginnings.ttft_p50 <= 0.5 * turns.ttft_p50
    assert beginnings.goodput >= 0.95 * one.goodput


def test_a_table_has_a_row_for_the_same_arrivals_under_every_policy() -> None:
    figures = [run(STEADY, 2, HUNG, policy) for policy in ("least_work", "round_robin")]
    rows = rows_of(figures)
    assert [len(row) for row in rows] == [len(HEAD)]
    cells = dict(zip(HEAD, rows[0], strict=True))
    assert f"/ {figures[0].ttft_p95 * 1e3:,.0f} /" in cells["least work"]
    assert cells["oracle"] == ""
