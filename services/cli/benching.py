"""Runs a bench on one endpoint, from its first request to a result."""

import asyncio
import gc
import signal
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import uvloop

from services.cli.adapters.openai_load import OpenAiEndpoint, Target, endpoint_at
from services.cli.bench.errors import BenchError
from services.cli.bench.prompts import CountTokens
from services.cli.bench.results import Result, Run, Workload
from services.cli.bench_plan import TextOptions, objectives_of
from services.cli.loading.progress import Screen
from services.cli.loading.session import MachineClocks, Plan, Session

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


def counting_by(path: Path) -> CountTokens:
    """Returns what counts as a `tokenizer.json` does; BenchError where there is none, or no library."""
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - of another distribution, which only this needs
    except ImportError:
        raise BenchError("--tokenizer needs the package tokenizers: `pip install tokenizers`.") from None
    file = path / "tokenizer.json" if path.is_dir() else path
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 - the library raises nothing more precise
        raise BenchError(f"{file} is no tokenizer.json that can be read.") from None

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count


async def _run(
    bench: Bench, screen: Screen, count_tokens: CountTokens | None
) -> tuple[Target, list[Run], bool]:
    clocks = MachineClocks()
    async with endpoint_at(bench.target, clocks.now, count_tokens, bench.ca_file) as endpoint:
        target = bench.target if bench.target.model else await _with_model(endpoint, bench.target)
        endpoint.ask(target)
        session = Session(endpoint.send, bench.plan, screen, clocks, count_tokens)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            session.stopping.set()
            for number in _STOPS:
                loop.remove_signal_handler(number)

        for number in _STOPS:
            loop.add_signal_handler(number, stop)
        try:
            runs = await session.run()
        finally:
            for number in _STOPS:
                loop.remove_signal_handler(number)
    return target, runs, not session.stopping.is_set()


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
