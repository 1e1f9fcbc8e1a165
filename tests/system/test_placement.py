"""Prompts find their replica through every process, and policies are on real ones as in simulated time."""

from pathlib import Path
from typing import Final

import httpx
import pytest

from services.router.domain.limits import PlacementPolicy
from tests.bench.placement.replicas import POLICIES, PREFIX_SHARE, Counts, Run, measure, serving
from tests.system.serving_processes import MODEL, ServingProcesses

pytestmark = [pytest.mark.system, pytest.mark.alone]

ROUND_ROBIN, LEAST_WORK, AFFINITY = POLICIES
# Of what could be cached: every prefix is computed once where no replica computes what another one has.
MOST: Final = PREFIX_SHARE
# Enough to tell the policies apart; most of the time is that of the engines' start.
FEWER: Final = Counts(prefixes=10, long_prompts=12)


def _share(run: Run) -> float:
    return run.shared.cached_tokens / run.shared.input_tokens


def _behind(run: Run) -> float:
    return run.skewed.behind / len(run.skewed.first_seconds)


async def test_prompts_that_come_through_an_edge_and_begin_alike_are_cached(tmp_path: Path) -> None:
    processes = ServingProcesses(tmp_path, replicas=3)
    try:
        await processes.start()
        key = await processes.key("acme")
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=processes.base_url, headers=headers, timeout=60) as client:
            cached = [
                await _cached_tokens(client, f"{number} " * 300 + end)
                for end in "abcd"
                for number in range(10)
            ]
    finally:
        await processes.stop()
    assert cached[:10] == [0] * 10
    found = [tokens > 500 for tokens in cached[10:]]
    # A replica that stood still for a moment, as one does on a busy machine, looks slow, and what it has goes
    # elsewhere: once, since it is cached there then. In turn it would be 10 of them, by chance 16.
    assert sum(found) >= 24, cached


async def _cached_tokens(client: httpx.AsyncClient, text: str) -> int:
    body = {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": text}]}
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    return int(answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"])


@pytest.mark.timeout(600)
async def test_what_an_engine_had_cached_and_whom_a_long_prompt_delayed_follow_the_policy(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as processes:
        runs = await measure(processes, POLICIES, print, FEWER)
    by_policy = {PlacementPolicy(run.policy): run for run in runs}
    # By the engines' own count of cached input tokens.
    assert _share(by_policy[AFFINITY]) > 1.2 * _share(by_policy[ROUND_ROBIN])
    assert _share(by_policy[AFFINITY]) > 1.2 * _share(by_policy[LEAST_WORK])
    assert _share(by_policy[AFFINITY]) > 0.85 * MOST
    for policy in (LEAST_WORK, AFFINITY):
        assert _behind(by_policy[policy]) < 0.5 * _behind(by_policy[ROUND_ROBIN])
