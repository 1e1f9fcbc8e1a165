"""Prints the tables of docs/benchmarks.md that compare Comptoir with others: `make bench`."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.beside import admissions, idle_streams, long_steps, models, targets
from tests.bench.beside.closed_loop import Load
from tests.bench.beside.command_line import (
    ADMISSIONS,
    BODIES,
    ENGINES,
    EVENTS,
    IDLE,
    PLACEMENT,
    REAL,
    SHORT,
    TINY,
    Options,
    parse,
)
from tests.bench.beside.environments import (
    LITELLM,
    cache_folder,
    engine_distribution,
    throw_away_environment,
    versions_in,
)
from tests.bench.beside.errors import BenchError
from tests.bench.beside.progress import Progress, clock_of
from tests.bench.beside.results import Results
from tests.bench.beside.rounds import Contest, run_contest
from tests.bench.beside.tables import EVENTS as EVENTS_TITLE
from tests.bench.beside.tables import EVENTS_OFF, EVENTS_ON, document
from tests.bench.beside.tables import SHORT as SHORT_TITLE
from tests.bench.engines import runs
from tests.bench.placement import replicas
from tests.bench.placement.contest import run_all
from tests.system.stack_process import REPOSITORY

_ENGINE_STREAMS = (1, 8, 32, 64)
_SHORT_STREAMS, _SHORT_TOKENS, _SHORT_SECONDS = 64, 2, 8.0
_VERSIONS = ("torch", "transformers", "grpcio", "uvloop", "uvicorn")


def main() -> None:
    """Runs what was chosen; what was measured until a failure or Ctrl-C is kept and shown too."""
    options = parse()
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    try:
        contests, results = _prepare(options, cache)
    except BenchError as error:
        sys.exit(f"bench: {error}")
    planned = sum(contest.planned_seconds for contest in contests)
    if BODIES in options.parts:
        planned += long_steps.PLANNED_SECONDS
    if IDLE in options.parts:
        planned += len(idle_streams.KINDS) * idle_streams.planned_seconds(options.idle_streams)
    if ADMISSIONS in options.parts:
        planned += admissions.planned_seconds(options.rounds, options.seconds)
    if ENGINES in options.parts:
        planned += runs.planned_seconds(_ENGINE_STREAMS, options.rounds, options.seconds)
    _show(f"about {clock_of(planned)} minutes on a quiet machine")
    problem = _run(options, contests, results, Progress(planned, time.monotonic, _show))
    print(f"\n{document(results)}")
    if problem:
        sys.exit(f"bench: {problem}")


def _run(options: Options, contests: list[Contest], results: Results, progress: Progress) -> str:
    keep = _keeper(options.output, results)
    try:
        for contest in contests:
            run_contest(contest, results, progress, keep)
        _run_alone(options, results, progress, keep)
    except BenchError as error:
        return str(error)
    except KeyboardInterrupt:
        return "stopped before the end; the tables hold what was measured."
    return ""


def _run_alone(options: Options, results: Results, progress: Progress, keep: Callable[[], None]) -> None:
    """Measures what is compared with nobody."""
    if BODIES in options.parts:
        results.long_steps += long_steps.measure_long_steps(progress)
        keep()
    if IDLE in options.parts:
        for kind in idle_streams.KINDS:
            measured = idle_streams.measure_idle(kind, options.idle_streams, progress)
            results.idle_streams.append(measured)
            keep()
    if ADMISSIONS in options.parts:
        results.admissions += admissions.measure_admissions(options.rounds, options.seconds, progress)
        keep()
    if PLACEMENT in options.parts:
        results.placement += run_all(note=progress.say)
        keep()
        results.replicas += replicas.run_all(progress.say)
        keep()
    if ENGINES in options.parts:
        results.engines.append(runs.measure_engines(_ENGINE_STREAMS, options.rounds, options.seconds))
        keep()


def _prepare(options: Options, cache: Path) -> tuple[list[Contest], Results]:
    """Fetches what is missing, and says what will run."""
    is_beside = not {TINY, REAL, SHORT}.isdisjoint(options.parts)
    versions = {name: version(name) for name in (engine_distribution(), *_VERSIONS)}
    proxy: Path | None = None
    if is_beside and "litellm" in options.targets:
        proxy = throw_away_environment(cache / "litellm", LITELLM, _show)
        found = versions_in(proxy, "litellm", "uvicorn")
        versions |= {"litellm": f"{found['litellm']} (on uvicorn {found['uvicorn']})"}
    contests = []
    if TINY in options.parts:
        contests.append(_beside(options, models.tiny(options.streams), proxy))
    if REAL in options.parts:
        contests.append(_beside(options, models.real(cache, options.real_streams, _show), proxy))
    if SHORT in options.parts:
        contests.append(_short(options, proxy))
    if EVENTS in options.parts:
        contests.append(_events(options))
    chosen = {**asdict(options), "output": str(options.output)}
    return contests, Results(_machine(), versions, chosen)


def _beside(options: Options, model: models.BenchModel, proxy: Path | None) -> Contest:
    dtype = options.dtype
    every = {
        "comptoir": lambda: targets.comptoir(model, dtype),
        "bare": lambda: targets.bare(model, dtype),
        "floor": lambda: targets.floor(model, dtype),
    }
    chosen = [every[name]() for name in options.targets if name in every]
    if proxy is not None:
        chosen.append(targets.litellm(model, dtype, proxy))
    return Contest(model.name, chosen, _loads(options, model), model.tail_seconds, options.rounds)


def _events(options: Options) -> Contest:
    model = models.tiny(options.streams)
    chosen = [
        targets.comptoir(model, options.dtype, name=EVENTS_ON),
        targets.comptoir(model, options.dtype, name=EVENTS_OFF, variables=targets.without_events()),
    ]
    return Contest(EVENTS_TITLE, chosen, _loads(options, model), model.tail_seconds, options.rounds)


def _short(options: Options, proxy: Path | None) -> Contest:
    chosen = [targets.simulated({})] if "comptoir" in options.targets else []
    if proxy is not None:
        chosen.append(targets.litellm_alone(proxy))
    load = Load(_SHORT_STREAMS, 1.0, options.seconds or _SHORT_SECONDS, _SHORT_TOKENS, is_streamed=False)
    return Contest(SHORT_TITLE, chosen, [load], 0.5, options.rounds, is_compared=False)


def _loads(options: Options, model: models.BenchModel) -> list[Load]:
    seconds = options.seconds or model.seconds
    return [Load(streams, model.lead_seconds, seconds, model.max_tokens) for streams in model.streams]


def _machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - the git on the PATH
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": f"commit {commit.stdout.strip() or 'unknown'}",
        "cores": f"{os.cpu_count()} cores",
        "processor": _processor(),
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": f"Linux {platform.release()}",
        "python": f"Python {platform.python_version()}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _keeper(folder: Path, results: Results) -> Callable[[], None]:
    folder.mkdir(parents=True, exist_ok=True)
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    _show(f"results go to {folder / name}.md and .json")

    def keep() -> None:
        (folder / f"{name}.json").write_text(json.dumps(asdict(results), indent=1), encoding="utf-8")
        (folder / f"{name}.md").write_text(document(results), encoding="utf-8")

    return keep


def _show(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
