"""How much memory a stream or a kept-alive connection holds while nothing comes, in every process."""

import resource
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.beside.errors import BenchError
from tests.bench.beside.loader import loader
from tests.bench.beside.processes import anonymous_bytes
from tests.bench.beside.progress import Progress
from tests.bench.beside.results import IdleStreams
from tests.bench.beside.rounds import started
from tests.bench.beside.targets import simulated

# Descriptors that processes need for everything else.
_OTHER_FILES = 512
_MAX_TOKENS = 64
_SETTLE_SECONDS = 3.0
_MUCH = 2**20
# Opened per second on two cores, for the step and the time that is planned.
_OPENED_PER_SECOND = 100
_LEAST_STEP_SECONDS = 3.0
WARM_STREAMS = 64
STREAM, CONNECTION = "stream", "connection"
KINDS = (STREAM, CONNECTION)


def possible_streams(wanted: int, open_files: int) -> int:
    """Returns how many streams can be held where one process may have so many open files."""
    return max(0, min(wanted, open_files - _OTHER_FILES))


def raise_open_files() -> int:
    """Lifts this process's limit of open files, which what it starts inherits, and returns it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def step_seconds(streams: int) -> float:
    """Returns the engine's step: long enough that most of the time no stream gets anything."""
    return max(_LEAST_STEP_SECONDS, streams / _OPENED_PER_SECOND / 4)


def planned_seconds(streams: int) -> float:
    """Returns how long the part takes."""
    return 25 + 2 * step_seconds(streams) + streams / _OPENED_PER_SECOND


def overrides_of(streams: int) -> dict[str, Any]:
    """Returns settings under which so many streams fit and hardly ever get a token."""
    return {
        "edge": {
            "max_connections": streams + 128,
            "first_text_seconds": 600.0,
            "idle_connection_seconds": 3600,
        },
        "generator": {
            "max_requests": streams + 128,
            "simulated": {
                "ttft_seconds": 0.0,
                "itl_seconds": step_seconds(streams),
                "max_running_requests": streams + 128,
                "kv_blocks": _MUCH,
            },
        },
    }


def _shortfall(held: dict[str, Any]) -> str:
    refusals = ", ".join(f"{count} with {status}" for status, count in held["refusals"].items())
    return f"{held['begun']} began and {held['lost']} of them were lost; refused: {refusals or 'none'}"


def measure_idle(kind: str, wanted: int, progress: Progress) -> IdleStreams:
    """Holds so many of a kind and returns the memory of every process without and with them."""
    open_files = raise_open_files()
    streams = possible_streams(wanted, open_files)
    if streams < 1:
        raise BenchError(f"no idle {kind}s fit into {open_files} open files; raise `ulimit -n`.")
    if streams < wanted:
        progress.say(f"idle {kind}s: {streams} instead of {wanted}, since `ulimit -Hn` is {open_files}")
    target = simulated(overrides_of(streams))
    with (
        tempfile.TemporaryDirectory() as folder,
        started(target, progress) as running,
        loader("tests.bench.beside.hold", Path(folder)) as (holder, _),
    ):
        patience = 60 + 4 * planned_seconds(streams)
        # A connection that has had a short answer, and waits for its client's next request.
        max_tokens = _MAX_TOKENS if kind == STREAM else None
        order = {"endpoint": asdict(running.endpoint), "max_tokens": max_tokens, "begin_seconds": patience}

        def hold(count: int) -> dict[str, int]:
            holder.tell({**order, "streams": count})
            held = holder.hear("held", patience + 60)
            if held["begun"] < count or held["lost"]:
                raise BenchError(f"of {count} idle {kind}s {_shortfall(held)}.")
            time.sleep(_SETTLE_SECONDS)
            return {role: anonymous_bytes(pid) for pid, role in running.roots.items()}

        # A few before, so that what the first stream of all loads is not counted.
        before = hold(WARM_STREAMS)
        progress.say(f"idle {kind}s: {WARM_STREAMS} held, {streams} are being opened")
        with_streams = hold(WARM_STREAMS + streams)
    return IdleStreams(streams, before, with_streams, kind)
