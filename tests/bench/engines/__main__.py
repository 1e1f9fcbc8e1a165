"""What each engine costs the generator per token, beside AsyncLLM in process, and what the plan foretells.

.venv/bin/python -m tests.bench.engines --streams 1 8 32 64 --rounds 3

`tiny-eu`, so many answers at once without an end, one after the other; no gRPC. CPU is of this process: an
engine that computes in a process of its own is no part of it, and neither is a server.
Rounds take turns over all engines. The plan is `comptoir plan --model` on a GPU with this machine's memory
bandwidth, as it is measured at the beginning.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import uvloop

from services.cli.planning.asked import Asked
from services.generator.domain.engine_parameters import VllmParameters
from services.generator.domain.ports import Engine
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import SystemClock
from tests.bench.beside.tables import engines_section
from tests.bench.engine_path import Figures, Load
from tests.bench.engines.bandwidth import read_bytes_per_second
from tests.bench.engines.figures import EngineFigures, EngineRun
from tests.bench.engines.kinds import ENGINES
from tests.bench.engines.planned import planned_for

# The prompt, and half an answer.
_PROMPT_TOKENS: Final = 30


async def measured(
    streams: Sequence[int], rounds: int, seconds: float, output_tokens: int
) -> list[EngineFigures]:
    """Returns what was measured of every engine at every number of streams."""
    with TemporaryDirectory() as folder, ExitStack() as servers:
        urls = [servers.enter_context(kind.server(Path(folder))) for kind in ENGINES]
        return await _measured_beside(urls, streams, rounds, seconds, output_tokens)


async def _measured_beside(
    urls: Sequence[str], streams: Sequence[int], rounds: int, seconds: float, output_tokens: int
) -> list[EngineFigures]:
    clock = SystemClock()
    started: list[Engine] = []
    loads: dict[str, Load] = {}
    try:
        for kind, url in zip(ENGINES, urls, strict=True):
            engine = kind.make(clock, url)
            await engine.start()
            started.append(engine)
            await warm_up(engine)
            loads |= {name: load(engine, clock, output_tokens) for name, load in kind.loads}
        found = []
        for count in streams:
            figures = {name: Figures() for name in loads}
            for number in range(rounds):
                for name in list(loads)[:: 1 if number % 2 else -1]:
                    await loads[name].measure(count, seconds, figures[name])
            found += [
                EngineFigures(count, name, tuple(one.cpu_microseconds), tuple(one.tokens_per_second))
                for name, one in figures.items()
            ]
        return found
    finally:
        for engine in started:
            await asyncio.to_thread(engine.shutdown)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    told = parser.parse_args()
    load_before = os.getloadavg()[0]
    bandwidth = read_bytes_per_second(VllmParameters().cpu_threads)
    found = uvloop.run(measured(told.streams, told.rounds, told.seconds, told.tokens))
    context = _PROMPT_TOKENS + told.tokens // 2
    planned = [planned_for(Asked(context=context, concurrency=count), bandwidth) for count in told.streams]
    run = EngineRun(bandwidth, load_before, tuple(found), tuple(planned))
    print(json.dumps(asdict(run)) if told.json else engines_section(run))


if __name__ == "__main__":
    main()
