"""`comptoir status`, `comptoir logs` and `comptoir down`: a stack that runs already."""

import contextlib
import json
import os
import signal
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import holder_pid, is_running, missing_state, read_state
from services.cli.adapters.live import ask_stack
from services.cli.status_view import print_status
from services.runtime.log_lines import readable_line

DataDir = Annotated[Path, typer.Option(help="The data folder of the stack.")]
_DOWN_SECONDS: Final = 120.0


def status(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what runs: processes, replicas, how far the store is behind. Exits with 3 if nothing runs."""
    paths = DataPaths(data_dir.resolve())
    state = read_state(paths)
    if state is None:
        raise missing_state(paths.root)
    running = is_running(paths)
    if not running:
        state["phase"] = "stopped"
        for process in state["processes"]:
            process.update(pid=None, state="stopped", why="")
    else:
        state |= ask_stack(state["grpc"])
    console = Console()
    if as_json:
        console.out(json.dumps(state), highlight=False)
    else:
        print_status(console, state, datetime.now(UTC))
    if not running:
        raise typer.Exit(3)


def logs(
    service: Annotated[
        str, typer.Argument(help="generator, kafka, clickhouse, emitter, router, edge or usage.")
    ] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    lines: Annotated[int, typer.Option(min=1, help="How many lines of each log.")] = 50,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines on a terminal too.")] = False,
) -> None:
    """Print the logs of one process, or of all with its name before each line; no log holds text.

    On a terminal the lines are for people; into a pipe, or with --json, they are the JSON lines of the files.
    """
    paths = DataPaths(data_dir.resolve())
    found = sorted(path for path in paths.logs.glob("*.log") if service in {"", path.stem})
    if not found:
        known = ", ".join(sorted(path.stem for path in paths.logs.glob("*.log"))) or "none yet"
        raise StackError(f"There is no log of that name in {paths.logs}; there is: {known}.")
    console = Console(soft_wrap=True)
    is_raw = as_json or not console.is_terminal
    printer = _Printer(console, is_one=bool(service), is_raw=is_raw)
    ends: dict[Path, int] = {}
    for path in found:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in deque(file, maxlen=lines):
                printer.line(path, line)
            ends[path] = file.tell()
    while follow:
        time.sleep(0.3)
        for path in found:
            ends[path] = printer.new_lines(path, ends[path])


def down(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    timeout_seconds: Annotated[float, typer.Option(help="How long to wait for the drain.")] = _DOWN_SECONDS,
) -> None:
    """Drain a stack that runs in the background, and return when nothing is left of it."""
    paths = DataPaths(data_dir.resolve())
    console = Console()
    if not is_running(paths):
        console.out(f"Nothing runs in {paths.root}.")
        return
    supervisor = holder_pid(paths)
    if supervisor is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)
    deadline = time.monotonic() + timeout_seconds
    while is_running(paths) or _is_alive(supervisor):
        if time.monotonic() > deadline:
            raise StackError(
                f"The stack in {paths.root} still drains after {timeout_seconds:.0f} s; "
                "wait, or look at `comptoir logs`."
            )
        time.sleep(0.1)
    console.out("Stopped; nothing was left running.")


def _is_alive(pid: int | None) -> bool:
    """Returns False for a process that is gone, or that is dead and only waits for its parent to notice."""
    try:
        return pid is not None and Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except (FileNotFoundError, ProcessLookupError):
        return False


class _Printer:
    """Prints lines of log files: as they are, or for people."""

    def __init__(self, console: Console, *, is_one: bool, is_raw: bool) -> None:
        self._console = console
        self._is_one = is_one
        self._is_raw = is_raw

    def line(self, path: Path, line: str) -> None:
        """Prints one line, with the process's name before it where there are several."""
        text = line.rstrip("\n")
        shown = text if self._is_raw else readable_line(text)
        self._console.out(shown if self._is_one else f"{path.stem:<10} {shown}", highlight=False)

    def new_lines(self, path: Path, start: int) -> int:
        """Prints what was appended since `start`; returns where the file ends now."""
        with path.open(encoding="utf-8", errors="replace") as file:
            # A log that became shorter was begun anew.
            file.seek(start if start <= path.stat().st_size else 0)
            for line in file:
                self.line(path, line)
            return file.tell()
