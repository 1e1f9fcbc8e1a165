"""Measures engines in a process of their own, for `make bench`."""

import json
import subprocess
import sys
from collections.abc import Sequence

from tests.bench.beside.errors import BenchError
from tests.bench.engines.figures import EngineFigures, EngineRun, Planned
from tests.system.stack_process import REPOSITORY

_SECONDS_PER_WINDOW = 2.0
_START_SECONDS = 90.0
_MOST_SECONDS = 3600.0


def planned_seconds(streams: Sequence[int], rounds: int, seconds: float | None) -> float:
    """Returns how long that takes: four loads at each number of streams, and their starts."""
    return _START_SECONDS + 4 * len(streams) * rounds * ((seconds or _SECONDS_PER_WINDOW) + 1)


def measure_engines(streams: Sequence[int], rounds: int, seconds: float | None) -> EngineRun:
    """Returns all figures; BenchError where the process ended without."""
    command = [sys.executable, "-m", "tests.bench.engines", "--json", "--rounds", str(rounds)]
    command += ["--seconds", str(seconds or _SECONDS_PER_WINDOW), "--streams", *map(str, streams)]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False
    )
    if done.returncode:
        raise BenchError(f"the engines' process ended with {done.returncode}: {done.stderr[-300:].strip()}")
    return read(done.stdout)


def read(text: str) -> EngineRun:
    """Returns the figures of the last line, which is the process's JSON."""
    told = json.loads(text.splitlines()[-1])
    return EngineRun(
        told["bytes_per_second"],
        told["load_average"],
        tuple(
            EngineFigures(
                one["streams"],
                one["engine"],
                tuple(one["cpu_microseconds_per_token"]),
                tuple(one["tokens_per_second"]),
            )
            for one in told["engines"]
        ),
        tuple(Planned(**one) for one in told["planned"]),
    )
