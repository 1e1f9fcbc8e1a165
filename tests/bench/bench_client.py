"""What `comptoir bench` itself costs: CPU for a request, and for an event of a stream, and its ceiling here.

python -m tests.bench.bench_client
"""

import subprocess
import sys
import time
import urllib.request

from rich.console import Console

from services.cli.adapters.openai_load import Target
from services.cli.bench.results import Run
from services.cli.bench_plan import JudgeOptions, LoadOptions, TextOptions, plan_of
from services.cli.benching import Bench, run_bench
from services.cli.loading.progress import Screen
from tests.ports import free_port
from tests.system.stack_process import REPOSITORY

USERS, SHORT, LONG = 32, 1, 101
# Of one core, from where a bench warns.
BUSY = 0.8


def main() -> None:
    """Prints the costs."""
    port = free_port()
    command = [sys.executable, "-m", "tests.paced_endpoint", str(port), "40,25"]
    with subprocess.Popen(command, cwd=REPOSITORY) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/v1/models")
            short, long = _measured(port, SHORT, 2000), _measured(port, LONG, 200)
        finally:
            server.terminate()
    per_request = _cpu_seconds(short) / short.requests.succeeded
    per_answer = _cpu_seconds(long) / long.requests.succeeded
    per_event = (per_answer - per_request) / (LONG - SHORT)
    for name, seconds in (("a request with one event", per_request), ("each further event", per_event)):
        print(f"{name}: {1e6 * seconds:.0f} us of CPU, {BUSY / seconds:.0f}/s at {BUSY} of a core")


def _measured(port: int, tokens: int, requests: int) -> Run:
    target = Target(f"http://127.0.0.1:{port}/v1", "paced")
    text = TextOptions("64", str(tokens), "fr")
    plan = plan_of(LoadOptions(concurrency=str(USERS), requests=requests), text, JudgeOptions())
    (run,) = run_bench(Bench(target, plan, text), Screen(Console(stderr=True))).runs
    return run


def _cpu_seconds(run: Run) -> float:
    return run.client.cpu_share * run.seconds


def _wait(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    main()
