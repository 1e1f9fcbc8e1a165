"""`comptoir bench` from several processes is one load; a late sender and a slow endpoint are told apart."""

import asyncio
import io
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from rich.console import Console

from services.cli.bench.arrivals import Arrivals
from services.cli.bench.exchange import Exchange
from services.cli.bench.lengths import Lengths
from services.cli.bench.load import Bound, Open
from services.cli.bench.results import Result, Run
from services.cli.bench.sender import LATE_SECONDS
from services.cli.bench_plan import grammars_of
from services.cli.loading.orders import Order
from services.cli.loading.plan import Plan
from services.cli.loading.progress import Screen
from services.cli.loading.session import Session
from tests.services.cli.terminal_process import on_a_terminal
from tests.system.paced_process import paced_process, take_seen
from tests.system.stack_process import COMPTOIR, REPOSITORY, run_comptoir

pytestmark = pytest.mark.system
SAME: Final = ("--languages", "fr", "--warmup-requests", "0", "--output-tokens", "4")
ENDLESS: Final = ("--concurrency", "4", "--duration", "1h", *SAME)
SECONDS: Final = 60


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An endpoint whose tokens come quickly."""
    with paced_process("20,5") as url:
        yield url


def where(url: str, folder: Path) -> tuple[str, ...]:
    return ("--base-url", f"{url}/v1", "--data-dir", str(folder), "--output", str(folder / "r.json"))


def written(folder: Path) -> Result:
    return Result.model_validate_json((folder / "r.json").read_text())


def benched(url: str, folder: Path, *options: str) -> Run:
    run_comptoir("bench", *where(url, folder), *SAME, *options)
    (run,) = written(folder).runs
    return run


@pytest.mark.parametrize("load", [("--rate", "60"), ("--concurrency", "5")])
def test_three_processes_ask_what_one_asks(endpoint: str, tmp_path: Path, load: tuple[str, ...]) -> None:
    def asked(processes: int) -> list[float]:
        take_seen(endpoint)
        run = benched(endpoint, tmp_path, *load, "--requests", "30", "--processes", str(processes))
        assert (run.requests.succeeded, run.tokens.output, run.client.processes) == (30, 120, processes)
        assert run.latencies.ttft_seconds is not None
        assert run.latencies.ttft_seconds.count == 30
        # Two before tell how long prompts are.
        return sorted(one["asked"] for one in take_seen(endpoint)[2:])

    assert asked(3) == asked(1)


def test_ctrl_c_ends_every_process_with_what_was_measured(endpoint: str, tmp_path: Path) -> None:
    command = ("bench", *where(endpoint, tmp_path), *ENDLESS, "--processes", "2")
    with on_a_terminal(*command, variables={"TERM": "xterm"}) as running:
        running.until("4 in flight")
        running.until("TTFT p50 lately")
        running.type("\x03")
        status = running.ended()
    assert status == 128 + signal.SIGINT
    assert "Traceback" not in running.appeared
    (run,) = written(tmp_path).runs
    assert run.requests.succeeded > 0
    assert run.requests.interrupted <= 4
    assert (run.client.processes, run.client.lost_processes) == (2, 0)
    assert "Interrupted" in running.appeared


def test_a_process_that_dies_is_said_and_the_run_is_not_whole(endpoint: str, tmp_path: Path) -> None:
    command = ("bench", *where(endpoint, tmp_path), *ENDLESS, "--processes", "2")
    with on_a_terminal(*command, variables={"TERM": "xterm"}) as running:
        running.until("4 in flight")
        os.kill(sending_processes(running.pid)[1], signal.SIGKILL)
        status = running.ended()
    assert status == 1
    assert "Sending process 2 died (signal 9)" in running.appeared
    assert "1 of 2 sending processes died" in " ".join(running.appeared.split())
    result = written(tmp_path)
    assert not result.is_complete
    assert result.runs[0].client.lost_processes == 1
    # What the other one had under way, at least.
    assert result.runs[0].requests.sent > 0


@contextmanager
def sending(url: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A bench without a terminal whose two processes send, in a session of its own."""
    command = [*COMPTOIR, "bench", *where(url, folder), *ENDLESS, "--processes", "2"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        assert run.stderr is not None
        assert any("4 in flight" in line for line in run.stderr)
        yield run


def test_a_stop_of_the_whole_group_ends_it_with_what_was_measured(endpoint: str, tmp_path: Path) -> None:
    with sending(endpoint, tmp_path) as run:
        os.killpg(run.pid, signal.SIGTERM)
        said = run.communicate(timeout=SECONDS)[1]
    assert "died" not in said
    result = written(tmp_path)
    assert not result.is_complete
    assert result.runs[0].requests.succeeded > 0
    assert result.runs[0].client.lost_processes == 0


def test_a_command_that_is_killed_takes_its_processes_along_without_a_trace(
    endpoint: str, tmp_path: Path
) -> None:
    with sending(endpoint, tmp_path) as run:
        run.kill()
        # Its processes write there too: it ends with the last of them.
        said = run.communicate(timeout=SECONDS)[1]
    assert "Traceback" not in said


def sending_processes(parent: int) -> list[int]:
    """Those that the command started, in their order."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_sender_that_gets_no_processor_says_so_and_blames_nobody_else(
    endpoint: str, tmp_path: Path
) -> None:
    command = [*COMPTOIR, "bench", *where(endpoint, tmp_path), *SAME, "--rate", "20", "--requests", "60"]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as run:
        assert run.stderr is not None
        assert b"20 requests/s begins" in run.stderr.readline()
        deadline = time.monotonic() + SECONDS
        while run.poll() is None:
            assert time.monotonic() < deadline
            for what in (signal.SIGSTOP, signal.SIGCONT):
                run.send_signal(what)
                try:
                    run.wait(0.4)
                except subprocess.TimeoutExpired:
                    continue
    client = written(tmp_path).runs[0].client
    assert client.limited_by == "machine"
    assert client.loop_lag_p99_seconds > 0.2
    assert client.held_requests == 0
    assert "another machine" in client.warnings[0]
    assert "do not help" in client.warnings[0]


def test_an_endpoint_at_its_bound_is_told_from_a_late_sender(tmp_path: Path) -> None:
    with paced_process("300,5") as slow:
        run = benched(slow, tmp_path, "--rate", "40", "--requests", "24", "--max-in-flight", "2")
    client = run.client
    # Two at a time, each of which takes 0.3 s: all but the first few wait.
    assert client.held_requests >= 18
    assert client.held_most_seconds > 1.0
    is_in_time = max(client.loop_lag_p99_seconds, client.sender_late_p99_seconds) <= LATE_SECONDS
    assert client.limited_by == ("endpoint" if is_in_time else "machine")
    assert f"{client.held_requests} of 24 requests" in client.warnings[-1]
    assert ("Lower --rate" in client.warnings[-1]) is is_in_time


class Busy:
    """Sends nothing and computes: what it takes of the clock, waits for a processor included, is its work."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def now(self) -> float:
        return time.monotonic()

    def cpu(self) -> float:
        return self._seconds

    async def send(self, order: Order, scheduled_seconds: float) -> Exchange:
        sent, until = time.monotonic(), time.thread_time() + 0.02
        while time.thread_time() < until:
            pass
        ended = time.monotonic()
        self._seconds += ended - sent
        return Exchange(scheduled_seconds, sent, ended, input_tokens=10, output_tokens=1)


def test_a_sender_whose_own_work_fills_a_core_is_told_to_be_several() -> None:
    lengths, busy = Lengths("fixed", 5), Busy()
    plan = Plan((Open(Arrivals(200.0)),), grammars_of("fr"), lengths, lengths, Bound(60))

    async def main() -> list[Run]:
        return await Session(busy.send, plan, Screen(Console(file=io.StringIO())), busy).run()

    (run,) = asyncio.run(main())
    assert run.client.limited_by == "sender"
    assert run.client.cpu_share > 0.8
    assert run.client.sender_late_p99_seconds > 0.5
    assert f"{run.client.cpu_share:.2f} of a core" in run.client.warnings[0]
    assert ("--processes 2" in run.client.warnings[0]) is (run.client.cores > 1)
