"""Runs a bench on one endpoint, from its first request to a result."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import uvloop

from services.cli.adapters.openai_load import OpenAiEndpoint, Target, endpoint_at
from services.cli.adapters.sender_processes import SenderProcesses, sender_processes
from services.cli.adapters.tokenizer import counting_by
from services.cli.bench.errors import BenchError
from services.cli.bench.prompts import CountTokens
from services.cli.bench.results import Result, Run, Workload
from services.cli.bench.shares import Share
from services.cli.bench_plan import TextOptions, objectives_of
from services.cli.loading.plan import Clocks, MachineClocks, Plan
from services.cli.loading.progress import Screen
from services.cli.loading.session import Session
from services.cli.sending_process import Part, send_part

_STOPS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that a run needs; `text` is what was typed, for the result."""

    target: Target
    plan: Plan
    text: TextOptions
    name: str = ""
    ca_file: Path | None = None
    tokenizer: Path | None = None
    processes: int = 1


def run_bench(bench: Bench, screen: Screen) -> Result:
    """Returns the result; Ctrl-C ends the load with what was measured, a second one at once."""
    count_tokens = None if bench.tokenizer is None else counting_by(bench.tokenizer)
    started = datetime.now(UTC)
    # What is there by now is not looked at again by each collection, which would stop the clock of a request.
    gc.collect()
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, screen:
            target, runs, is_complete = runner.run(_run(bench, screen, count_tokens))
    finally:
        gc.unfreeze()
    return _result(replace(bench, target=target), runs, started, is_complete=is_complete)


async def _run(
    bench: Bench, screen: Screen, count_tokens: CountTokens | None
) -> tuple[Target, list[Run], bool]:
    clocks = MachineClocks()
    async with endpoint_at(bench.target, clocks.now, count_tokens, bench.ca_file) as endpoint:
        target = bench.target if bench.target.model else await _with_model(endpoint, bench.target)
        endpoint.ask(target)
        async with _several(replace(bench, target=target), screen, clocks) as sends:
            session = Session(endpoint.send, bench.plan, screen, clocks, count_tokens, sends)
            with _stopped_by_signals(session):
                runs = await session.run()
    return target, runs, not session.stopping.is_set()


@contextmanager
def _stopped_by_signals(session: Session) -> Iterator[None]:
    """Lets the first Ctrl-C stop the load, and a second one end the command at once."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        session.stopping.set()
        for number in _STOPS:
            loop.remove_signal_handler(number)

    for number in _STOPS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in _STOPS:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _several(bench: Bench, screen: Screen, clocks: Clocks) -> AsyncIterator[SenderProcesses | None]:
    """Starts the sending processes; none where this one sends by itself."""
    if bench.processes == 1:
        yield None
        return
    shares = (Share(index, bench.processes) for index in range(bench.processes))
    parts = [Part(bench.target, bench.plan, share, bench.ca_file, bench.tokenizer) for share in shares]
    async with sender_processes(send_part, parts, screen, clocks) as sends:
        yield sends


async def _with_model(endpoint: OpenAiEndpoint, target: Target) -> Target:
    """Returns the target with the endpoint's only model."""
    names = await endpoint.models()
    if len(names) == 1:
        return replace(target, model=names[0])
    lists = f"lists {len(names)} models" if names else "lists no model"
    raise BenchError(f"The endpoint {lists}; say which with --model.")


def _result(bench: Bench, runs: list[Run], started: datetime, *, is_complete: bool) -> Result:
    target, plan, text = bench.target, bench.plan, bench.text
    lengths = ("trace", "trace") if plan.trace else (text.input_tokens, text.output_tokens)
    workload = Workload(
        model=target.model,
        endpoint=without_secrets(target.base_url),
        api=target.api,
        streamed=target.is_streamed,
        input_tokens=lengths[0],
        output_tokens=lengths[1],
        languages=tuple(plan.grammars),
        seed=text.seed,
        ignore_eos=bool((target.extra_body or {}).get("ignore_eos")),
    )
    prices = plan.judged.prices
    return Result(
        comptoir=metadata.version("comptoir"),
        started_at=started.isoformat(timespec="seconds"),
        name=bench.name,
        is_complete=is_complete,
        workload=workload,
        objectives=objectives_of(plan.judged.objectives),
        currency="" if prices is None else prices.currency,
        runs=tuple(runs),
    )


def without_secrets(url: str) -> str:
    """Returns a URL without user, password, query and fragment, any of which may open something."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
