"""Tiny real processes for a supervisor: each says by a file that it is ready, and notes what happens."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from deploy.local.stack.child import Child
from deploy.local.stack.plan import Probe, ProcessPlan

_SCRIPT = """
import json, os, pathlib, signal, subprocess, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
def note(what):
    with open(folder / "notes", "a") as notes:
        notes.write(json.dumps([name, what, os.getpid()]) + "\\n")
def drain(*_):
    note("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, drain)
note("started")
ready = lambda: (folder / name).write_text("")
wait = lambda: time.sleep(60)
"""


class Folder:
    """A folder in which the processes of one test meet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "notes").touch()

    def plan(self, name: str, script: str = "ready(); wait()", **rest: Any) -> ProcessPlan:
        """A process that runs `script` after its preparations."""
        command = (sys.executable, "-I", "-S", "-c", _SCRIPT + script, name, str(self.path))
        probe = Probe("file", str(self.path / name))
        limits = {"start_seconds": 15.0, "drain_seconds": 10.0} | rest
        return ProcessPlan(name=name, title=name.title(), arguments=command, probe=probe, **limits)

    def notes(self, what: str) -> list[tuple[str, int]]:
        """Who wrote `what` down, in order, with its process id."""
        noted = [json.loads(line) for line in (self.path / "notes").read_text().splitlines()]
        return [(name, pid) for name, said, pid in noted if said == what]


class Changes:
    """What a supervisor told, and a way to wait for the next that matters."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self._news = asyncio.Event()

    def __call__(self, child: Child) -> None:
        self.told.append((child.plan.name, child.state))
        self._news.set()

    async def until(self, is_so: Callable[[], bool], seconds: float = 15.0) -> None:
        """Waits until something is so, looking again at every change."""
        async with asyncio.timeout(seconds):
            while not is_so():
                self._news.clear()
                await self._news.wait()


def is_gone(pid: int) -> bool:
    """True for a process that ended, reaped or not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def until_gone(pid: int, seconds: float = 15.0) -> None:
    """Waits for the end of a process that is nobody's child here."""
    deadline = time.monotonic() + seconds
    while not is_gone(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
