"""The simulated scheduler against vLLM's own, step by step: same tokens, blocks, cache and preemptions."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.services.generator.adapters.simulated.arrivals import random_trace
from tests.services.generator.adapters.simulated.lived_trace import lived

REPOSITORY = Path(__file__).parents[5]
TRACES = 200
pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]


@cache
def vllm_says() -> Sequence[Mapping[str, Any]]:
    """Of every trace, by one process: its imports take most of the time."""
    traces = [random_trace(seed).told() for seed in range(TRACES)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.services.generator.adapters.simulated.vllm_scheduler"],
        cwd=REPOSITORY,
        env={
            "PATH": "/usr/bin:/bin",
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "HF_HUB_OFFLINE": "1",
            "VLLM_LOGGING_LEVEL": "ERROR",
        },
        input=f"{json.dumps(traces)}\n",
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_each_step_of_each_trace_is_vllms() -> None:
    said = vllm_says()
    assert len(said) == TRACES
    for seed, theirs in enumerate(said):
        ours = lived(random_trace(seed))
        for number, (step, their_step) in enumerate(zip(ours["steps"], theirs["steps"], strict=True)):
            assert step == their_step, f"trace {seed}, step {number}"
        assert ours["cached"] == theirs["cached"], f"trace {seed}"


def test_the_traces_hold_what_is_compared() -> None:
    said = vllm_says()
    preempted = [theirs["steps"][-1]["preempted"] for theirs in said]
    assert sum(count > 0 for count in preempted) > TRACES / 4
    assert sum(any(theirs["cached"].values()) for theirs in said) > TRACES / 4
    assert sum(min(step["free"] for step in theirs["steps"]) == 0 for theirs in said) > TRACES / 10
