"""`comptoir bench` measures what vLLM's `bench serve` measures, and what the endpoint itself says it did."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final

import pytest

from services.cli.bench.results import Result, Run
from services.runtime.settings import environment
from tests.paced_endpoint import MODEL
from tests.system.paced_process import paced_process, take_seen
from tests.system.stack_process import REPOSITORY, Stack, run_comptoir

REQUESTS, USERS, TOKENS = 20, 4, 12
# Milliseconds to a first token, and from each to the next: so long that 3 % are more than a machine is late.
PACES: Final = ("600,90", "700,95", "800,100", "900,105", "1000,110")
CLOSE = 0.03
ROUNDS = 3
# vLLM's own command wants a distribution of that name, which its build for processors has not.
VLLM_BENCH = """
import argparse
from vllm.benchmarks.serve import add_cli_args, main
parser = argparse.ArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """An endpoint in a process of its own, whose answers come on time."""
    with paced_process(*PACES) as url:
        yield url


def _by_vllm(url: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", VLLM_BENCH, "--backend", "openai-chat", "--base-url", url]
    command += ["--endpoint", "/v1/chat/completions", "--model", MODEL, "--dataset-name", "random"]
    command += ["--tokenizer", str(REPOSITORY / "deploy" / "models" / "tiny-eu")]
    command += [
        "--random-input-len",
        "50",
        "--random-output-len",
        str(TOKENS),
        "--num-prompts",
        str(REQUESTS),
    ]
    command += ["--max-concurrency", str(USERS), "--save-result", "--result-dir", str(folder)]
    command += ["--result-filename", "vllm.json", "--percentile-metrics", "ttft,tpot,itl,e2el"]
    variables = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_TARGET_DEVICE": "cpu"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    content: dict[str, Any] = json.loads((folder / "vllm.json").read_text())
    return content


def _by_comptoir(url: str, folder: Path, *options: str) -> Run:
    out = folder / "comptoir.json"
    load = ("--requests", str(REQUESTS), "--concurrency", str(USERS), "--output-tokens", str(TOKENS))
    # Two requests tell how long prompts are; with three of warm-up, the first that counts has the first pace.
    same = ("--languages", "fr", "--input-tokens", "50", "--warmup-requests", "3")
    where = ("--base-url", f"{url}/v1", "--data-dir", str(folder / "none"), "--output", str(out))
    run_comptoir("bench", *where, *load, *same, *options)
    (run,) = Result.model_validate_json(out.read_text()).runs
    return run


def _figures_of(run: Run) -> dict[str, float]:
    """Milliseconds and rates by the names that vLLM has for them."""
    found = {
        "request_throughput": run.rates.requests_per_second,
        "output_throughput": run.rates.output_tokens_per_second,
        "duration": run.seconds,
    }
    names = {"ttft": "ttft_seconds", "tpot": "tpot_seconds", "itl": "itl_seconds", "e2el": "e2e_seconds"}
    for theirs, ours in names.items():
        latency = getattr(run.latencies, ours)
        found[f"mean_{theirs}_ms"] = 1000 * latency.mean
        found[f"median_{theirs}_ms"] = 1000 * latency.at(50)
    return found


def _truth_of(did: list[dict[str, float]]) -> dict[str, float]:
    """What the endpoint itself says of the same requests: a client sees nothing earlier."""
    first = [1000 * (one["first"] - one["received"]) for one in did]
    pace = [1000 * (one["last"] - one["first"]) / (TOKENS - 1) for one in did]
    seconds = max(one["last"] for one in did) - min(one["received"] for one in did)
    return {
        "mean_ttft_ms": fmean(first),
        "median_ttft_ms": median(first),
        "mean_tpot_ms": fmean(pace),
        "median_tpot_ms": median(pace),
        "duration": seconds,
    }


def _differences(ours: dict[str, float], theirs: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """The numbers that are not as close as they should be."""
    return {
        name: (ours[name], theirs[name])
        for name in ours.keys() & theirs.keys()
        if ours[name] != pytest.approx(theirs[name], rel=CLOSE)
    }


@pytest.mark.system
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_it_measures_what_vllm_s_bench_measures_and_what_the_endpoint_did(
    endpoint: str, tmp_path: Path
) -> None:
    # A machine that stumbles makes one run differ; numbers that mean something else differ in each.
    for _ in range(ROUNDS):
        theirs = _by_vllm(endpoint, tmp_path)
        assert (theirs["completed"], theirs["failed"]) == (REQUESTS, 0)
        take_seen(endpoint)
        different = []
        for processes in ("1", "2"):
            run = _by_comptoir(endpoint, tmp_path, "--processes", processes)
            did = take_seen(endpoint)[-REQUESTS:]
            assert run.requests.succeeded == REQUESTS
            assert theirs["total_output_tokens"] == run.tokens.output == REQUESTS * TOKENS
            ours = _figures_of(run)
            different += [_differences(ours, theirs), _differences(ours, _truth_of(did))]
        if not any(different):
            break
    assert different == [{}] * 4
    assert ours.keys() <= theirs.keys()


@pytest.mark.system
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_a_stack_s_own_counts_are_those_of_the_bench(stack: Stack, tmp_path: Path, api: str) -> None:
    out = tmp_path / "r.json"
    load = ("--requests", "12", "--rate", "6", "--burstiness", "0.5", "--output-tokens", "uniform:3,9")
    stack.comptoir("bench", *load, "--api", api, "--ignore-eos", "--input-tokens", "90", "--output", str(out))
    (run,) = Result.model_validate_json(out.read_text()).runs
    assert (run.requests.succeeded, run.requests.failed) == (12, 0)
    assert set(run.tokens.counted_by) == {"usage"}
    assert run.latencies.output_tokens is not None
    assert (run.latencies.output_tokens.at(0), run.latencies.output_tokens.at(100)) == (3, 9)
    assert run.latencies.input_tokens is not None
    assert run.latencies.input_tokens.mean == pytest.approx(90, rel=0.25)
    assert run.latencies.ttft_seconds is not None
    assert run.latencies.ttft_seconds.count == 12
