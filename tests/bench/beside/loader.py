"""The benchmark's side of a load process: orders, what it says, and the measurement of one window."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.beside.chat import Endpoint, Said
from tests.bench.beside.closed_loop import Load
from tests.bench.beside.environments import for_children
from tests.bench.beside.errors import BenchError
from tests.bench.beside.processes import Usage, snapshot, usage_between
from tests.bench.beside.window import Seen
from tests.system.stack_process import REPOSITORY

LOAD_ROLE = "load generator"
BENCH_ROLE = "benchmark"
# None of them is a cost of the target.
APART = (LOAD_ROLE, BENCH_ROLE)
_TAIL_SECONDS = 180.0
_ANSWER_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What clients saw in a window, and what the machine spent meanwhile."""

    seen: Seen
    usage: Usage


class Loader:
    """A load process that runs; every wait for it ends."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, order: Mapping[str, Any]) -> None:
        """Gives an order."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def hear(self, what: str, seconds: float) -> dict[str, Any]:
        """Returns the next thing that it says, which must be `what`; a silent process is killed."""
        assert self._process.stdout is not None
        silence = threading.Timer(seconds, self._process.kill)
        silence.start()
        try:
            line = self._process.stdout.readline()
        finally:
            silence.cancel()
        heard: dict[str, Any] = (
            json.loads(line) if line else {"said": "nothing", "why": _last_line(self._log)}
        )
        if heard["said"] != what:
            raise BenchError(
                f"a load process did not say {what!r} in time: {heard.get('why', heard['said'])}"
            )
        return heard

    def answers(self, endpoint: Endpoint, max_tokens: int) -> list[Said]:
        """Returns the answers to all prompts, each asked alone."""
        self.tell({"do": "answer", "endpoint": asdict(endpoint), "max_tokens": max_tokens})
        return [Said(**answer) for answer in self.hear("answers", _ANSWER_SECONDS)["answers"]]

    def measure(self, endpoint: Endpoint, load: Load, roots: Mapping[int, str]) -> Measured:
        """Runs one load; CPU is taken between the opening of its window and the close."""
        everything = {
            **roots,
            os.getpid(): BENCH_ROLE,
            **({} if self.pid in roots else {self.pid: LOAD_ROLE}),
        }
        self.tell({"do": "load", "endpoint": asdict(endpoint), "load": asdict(load)})
        self.hear("opened", max(load.lead_seconds, load.most_lead_seconds) + 60)
        before = snapshot(everything)
        self.hear("closed", load.seconds + 60)
        after = snapshot(everything)
        seen = Seen(**self.hear("done", _TAIL_SECONDS)["seen"])
        return Measured(seen, usage_between(before, after, os.cpu_count() or 1))


@contextmanager
def loader(
    module: str,
    folder: Path,
    arguments: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    ready_seconds: float = 60,
) -> Iterator[tuple[Loader, dict[str, Any]]]:
    """A load process and what it said when it was ready; at the end nothing of it is left."""
    log = folder / f"{module.rpartition('.')[2]}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=REPOSITORY,
            env={**for_children(), **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    own = Loader(process, log)
    try:
        yield own, own.hear("ready", ready_seconds)
    finally:
        end(process)


def end(process: "subprocess.Popen[Any]", seconds: float = 30) -> None:
    """Ends a process that runs in a session of its own, and whatever it left there."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    if process.stdin is None:
        process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"it ended; its last line was: {lines[-1][:300]}" if lines else "it ended without a word"
