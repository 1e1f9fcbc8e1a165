"""The CPU time of processes and of everything else, from the operating system."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# How vLLM calls the processes of its engine, wherever they were started.
_ENGINE_TITLE = "VLLM::"
ENGINE_ROLE = "engine core"
_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# What `clock_getcpuclockid` of the C library makes of a process id: all threads, those that ended too.
_SCHEDULER_CLOCK = 2


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the kernel lists it."""

    pid: int
    parent: int
    title: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """CPU seconds of the processes of interest at one moment, and their roles."""

    at: float
    idle_seconds: float
    cpu_seconds: dict[int, float]
    roles: dict[int, str]


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds by role between two moments, and the cores that everything else kept busy."""

    seconds: float
    cpu_seconds: dict[str, float]
    foreign_cores: float


def snapshot(roots: Mapping[int, str]) -> Snapshot:
    """Returns what the processes of `roots`, by their roles, and all below them have used so far."""
    roles = roles_of(running(), roots)
    cpu = {pid: seconds for pid in roles if (seconds := _cpu_seconds(pid)) is not None}
    return Snapshot(time.monotonic(), _idle_seconds(), cpu, roles)


def usage_between(before: Snapshot, after: Snapshot, cores: int) -> Usage:
    """Returns the CPU of each role; a process that started meanwhile counts from its start."""
    by_role: dict[str, float] = {}
    for pid, role in after.roles.items():
        used = after.cpu_seconds.get(pid, 0.0) - before.cpu_seconds.get(pid, 0.0)
        by_role[role] = by_role.get(role, 0.0) + max(0.0, used)
    seconds = after.at - before.at
    busy = seconds * cores - (after.idle_seconds - before.idle_seconds)
    return Usage(seconds, by_role, max(0.0, busy - sum(by_role.values())) / seconds)


def roles_of(processes: Sequence[Process], roots: Mapping[int, str]) -> dict[int, str]:
    """Returns the role of each process: of itself or the nearest above it, or the engine's by its title."""
    by_pid = {process.pid: process for process in processes}
    roles = {}
    for process in processes:
        root = _nearest_root(process, by_pid, roots)
        if root is not None:
            is_engine = process.pid not in roots and process.title.startswith(_ENGINE_TITLE)
            roles[process.pid] = ENGINE_ROLE if is_engine else roots[root]
    return roles


def _nearest_root(process: Process, by_pid: Mapping[int, Process], roots: Mapping[int, str]) -> int | None:
    seen: set[int] = set()
    above: Process | None = process
    while above is not None and above.pid not in seen:
        if above.pid in roots:
            return above.pid
        # The listing is no single moment: a number that was given again could close a circle.
        seen.add(above.pid)
        above = by_pid.get(above.parent)
    return None


def running() -> list[Process]:
    """Returns every process; one that ends meanwhile is left out."""
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            found.append(Process(int(entry.name), parent_of(stat), title))
    return found


def parent_of(stat: str) -> int:
    """Returns the parent in a /proc/PID/stat; the name that stands before it may hold blanks and brackets."""
    return int(stat.rpartition(")")[2].split()[1])


def idle_seconds_of(stat: str) -> float:
    """Returns the idle time of all cores together in a /proc/stat, waiting for disks included."""
    fields = stat.partition("\n")[0].split()
    return (int(fields[4]) + int(fields[5])) / _TICKS_PER_SECOND


def anonymous_bytes_of(status: str) -> int:
    """Returns the resident memory in a /proc/PID/status that no file backs."""
    for line in status.splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no RssAnon in it")


def anonymous_bytes(pid: int) -> int:
    """Returns how much memory of its own a process has in use."""
    return anonymous_bytes_of((_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace"))


def _idle_seconds() -> float:
    return idle_seconds_of((_PROC / "stat").read_text(encoding="ascii"))


def _cpu_seconds(pid: int) -> float | None:
    try:
        return time.clock_gettime((~pid << 3) | _SCHEDULER_CLOCK)
    except OSError:
        return None
