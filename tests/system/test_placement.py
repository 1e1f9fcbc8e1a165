"""On real replicas the policies come out in the order in which they do in simulated time."""

from pathlib import Path
from typing import Final

import pytest

from services.router.domain.limits import PlacementPolicy
from tests.bench.placement.replicas import POLICIES, PREFIX_SHARE, Run, measure, serving

pytestmark = [pytest.mark.system, pytest.mark.alone]

ROUND_ROBIN, LEAST_WORK, AFFINITY = POLICIES
# Of what could be cached: every prefix is computed once where no replica computes what another one has.
MOST: Final = PREFIX_SHARE


def _share(run: Run) -> float:
    return run.shared.cached_tokens / run.shared.input_tokens


def _behind(run: Run) -> float:
    return run.skewed.behind / len(run.skewed.first_seconds)


@pytest.mark.timeout(600)
async def test_what_an_engine_had_cached_and_whom_a_long_prompt_delayed_follow_the_policy(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as processes:
        runs = await measure(processes, POLICIES, print)
    by_policy = {PlacementPolicy(run.policy): run for run in runs}
    # By the engines' own count of cached input tokens.
    assert _share(by_policy[AFFINITY]) > 1.2 * _share(by_policy[ROUND_ROBIN])
    assert _share(by_policy[AFFINITY]) > 1.2 * _share(by_policy[LEAST_WORK])
    assert _share(by_policy[AFFINITY]) > 0.85 * MOST
    for policy in (LEAST_WORK, AFFINITY):
        assert _behind(by_policy[policy]) < 0.5 * _behind(by_policy[ROUND_ROBIN])
