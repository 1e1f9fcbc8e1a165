"""How long an engine still speaks of a request that was ended, by its own counts, for each engine and phase.

.venv/bin/python -m tests.bench.endings --times 20 [--engines simulated vllm vllm_server llama_cpp]

Beside requests that go on; each ending is one of the engines' contract, and fails where that would.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from services.generator.adapters.engines import engine_from
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters, VllmParameters
from services.generator.domain.foreign_engine import OpenAiServerParameters, ServerKind
from services.generator.domain.ports import Engine
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import SystemClock
from tests.contracts.engine_callers import How, Phase, end_early
from tests.contracts.engine_requests import CONTEXT_TOKENS, RUNNING_REQUESTS
from tests.services.generator.adapters.openai_server.llama_server import llama_server
from tests.services.generator.adapters.openai_server.vllm_server import MODEL, vllm_server

ENGINES: Final = ("simulated", "vllm", "vllm_server", "llama_cpp")
_LOOK_SECONDS: Final = 0.05
_KV_CACHE_BYTES: Final = 6 * 1024 * 1024


@contextmanager
def _made(name: str) -> Iterator[Engine]:
    """Yields an engine that has not started, with a server behind it where it needs one."""
    clock, model = SystemClock(), ServedModel(CONTEXT_TOKENS, str(MODEL))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if name == "simulated":
            simulated = SimulatedParameters(max_running_requests=RUNNING_REQUESTS, answer_tokens=1000)
            yield engine_from(ServedModel(CONTEXT_TOKENS), simulated, clock)
        elif name == "vllm":
            parameters = VllmParameters(
                kv_cache_memory_bytes=_KV_CACHE_BYTES, max_running_requests=RUNNING_REQUESTS
            )
            yield engine_from(model, parameters, clock)
        else:
            is_vllm = name == "vllm_server"
            url = stack.enter_context(vllm_server(folder) if is_vllm else llama_server(folder))
            kind = ServerKind.VLLM if is_vllm else ServerKind.LLAMA_CPP
            told = OpenAiServerParameters(url=url, kind=kind, load_interval_seconds=_LOOK_SECONDS)
            yield engine_from(model, told, clock)


async def _measure(engine: Engine, name: str, times: int) -> None:
    await engine.start()
    try:
        await warm_up(engine)
        for phase in Phase:
            ended = [
                await end_early(engine, phase, how, keeps_queue=name == "llama_cpp")
                for how in How
                for _ in range(times)
            ]
            milliseconds = [one.gone_seconds * 1000 for one in ended]
            unclaimed = max(one.unclaimed_tokens for one in ended)
            print(
                f"{name:12} {phase.value:8} {len(ended):4} endings, gone after"
                f" {statistics.median(milliseconds):6.1f} ms (median), {max(milliseconds):6.1f} ms (longest),"
                f" tokens of nobody at most {unclaimed}",
                flush=True,
            )
    finally:
        await asyncio.to_thread(engine.shutdown)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures each engine after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=20, help="endings of each kind in each phase")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    asked = parser.parse_args(arguments)
    for name in asked.engines:
        with _made(name) as engine:
            asyncio.run(_measure(engine, name, asked.times))


if __name__ == "__main__":
    main()
