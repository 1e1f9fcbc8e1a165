"""What the way from vLLM's steps to the callers costs the generator's process, alone and beside other ways.

.venv/bin/python -m tests.bench.engine_path --streams 1 8 64 --rounds 6

One engine and no gRPC: so many generations at once, each followed by another. The ways take turns within a
round, in an order that turns around from round to round; CPU is that of this process, which the engine's own
is no part of.
"""

import argparse
import asyncio
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

import uvloop

from services.generator.adapters.engines import engine_from
from services.generator.domain.accepted import SharedParts
from services.generator.domain.delta import Delta
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.generator.domain.generation import Generation, Message, Order
from services.generator.domain.load import LoadSample
from services.generator.domain.ports import Engine, EngineRequest, Receive
from services.generator.domain.prompt import Chat, ChatTurn, Role, TokenIds
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.sampling import Sampling
from services.generator.domain.terminal_event import Counts, TerminalEvent
from services.generator.domain.ticket import Claims
from services.generator.domain.warm_up import warm_up
from services.kernel.clock import Clock, SystemClock
from services.kernel.identity import Identity

MODEL: Final = Path(__file__).parents[2] / "deploy" / "models" / "tiny-eu"
PROMPT: Final = "Écris un bref compte rendu de la réunion."
SETTLE_SECONDS: Final = 0.3
MICROSECONDS: Final = 1_000_000


class Nowhere:
    """Takes events and settlements, and keeps nothing."""

    async def record(self, event: TerminalEvent) -> None:
        """Is durable enough for a benchmark."""

    async def record_load(self, sample: LoadSample) -> None:
        """Is durable enough for a benchmark."""

    def accept(self, claims: Claims) -> None:
        """Tells nobody."""

    def settle(self, claims: Claims, used: Counts, *, is_unserved: bool) -> None:
        """Tells nobody."""


@contextmanager
def as_it_is(_engine: Any) -> Iterator[None]:
    """One handler for all requests of a step, and short prompts tokenized where they are."""
    yield


@contextmanager
def a_task_per_request(engine: Any) -> Iterator[None]:
    """vLLM's own stream per request, read by a task that is woken for each step."""
    from vllm.inputs import tokens_input  # noqa: PLC0415 - after its environment

    from services.generator.adapters.vllm import engine as adapter  # noqa: PLC0415 - after its environment
    from services.generator.adapters.vllm.outputs import Receiver  # noqa: PLC0415 - after its environment
    from services.generator.adapters.vllm.token_bytes import TokenBytes  # noqa: PLC0415 - as the others

    tasks: set[asyncio.Task[None]] = set()
    token_bytes = TokenBytes(engine._llm.renderer.tokenizer)

    async def read(outputs: Any, put: Callable[[Any], None]) -> None:
        async for output in outputs:
            put(output)

    async def submit(request: EngineRequest, receive: Receive) -> None:
        assert isinstance(request.prompt, TokenIds)
        prompt = tokens_input(list(request.prompt.ids), cache_salt=request.cache_salt)
        sampling = adapter._sampling_params(request)
        outputs = engine._llm.generate(prompt, sampling, request.request_id, priority=request.priority)
        task = asyncio.create_task(read(outputs, Receiver(receive, 0, token_bytes, request).put))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    with mock.patch.object(engine, "submit", submit):
        yield


@contextmanager
def prompts_on_a_thread(_engine: Any) -> Iterator[None]:
    """Every prompt tokenized on a thread, however short."""
    from services.generator.adapters.prompts import prompts  # noqa: PLC0415 - after the engine's environment

    with mock.patch.object(prompts, "is_short", return_value=False):
        yield


WAYS: Final = {
    "as it is": as_it_is,
    "a task per request": a_task_per_request,
    "every prompt on a thread": prompts_on_a_thread,
}


@dataclass
class Figures:
    """One measurement per round."""

    cpu_microseconds: list[float] = field(default_factory=list)
    tokens_per_second: list[float] = field(default_factory=list)
    ttft_milliseconds: list[float] = field(default_factory=list)

    def row(self, streams: int, way: str) -> str:
        """Medians, and the least and the most CPU."""
        cpu = sorted(self.cpu_microseconds)
        median = statistics.median
        return (
            f"| {streams} | {way} | {median(cpu):.0f} ({cpu[0]:.0f} to {cpu[-1]:.0f}) |"
            f" {median(self.ttft_milliseconds):.1f} | {median(self.tokens_per_second):.0f} |"
        )


class Load:
    """Generations without callers."""

    def __init__(self, engine: Engine, clock: Clock, output_tokens: int) -> None:
        nowhere = Nowhere()
        recorder = UsageRecorder(nowhere, max_unrecorded=100_000)
        self._parts = SharedParts(engine, recorder, nowhere, clock, bytes(32), 60.0, 64)
        self._clock = clock
        self._sampling = Sampling(max_output_tokens=output_tokens)
        self._tokens = 0
        # Those of one measurement, from the first requests of all streams on.
        self._ttfts: list[float] = []

    async def measure(self, streams: int, seconds: float, figures: Figures) -> None:
        """So many at once for so long."""
        is_over = asyncio.Event()
        self._ttfts = []
        running = [asyncio.create_task(self._again_and_again(is_over)) for _ in range(streams)]
        await asyncio.sleep(SETTLE_SECONDS)
        self._tokens = 0
        cpu, began = _cpu_seconds(), time.perf_counter()
        await asyncio.sleep(seconds)
        cpu, took = _cpu_seconds() - cpu, time.perf_counter() - began
        figures.cpu_microseconds.append(cpu / self._tokens * MICROSECONDS)
        figures.tokens_per_second.append(self._tokens / took)
        figures.ttft_milliseconds.append(statistics.median(self._ttfts) * 1000)
        is_over.set()
        await asyncio.gather(*running)

    async def _again_and_again(self, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            await self._one()

    async def _one(self) -> None:
        began, is_first = time.perf_counter(), True

        def put(message: Message) -> None:
            nonlocal is_first
            if isinstance(message, Delta):
                self._tokens += message.output_tokens
                if is_first:
                    is_first = False
                    self._ttfts.append(time.perf_counter() - began)

        ticket = Identity.random()
        claims = Claims(ticket, ticket, ticket, 1, 1, 1, 1, 1, 0, 1, 512, 512, 10, 1, 0, 1, 0, 0)
        chat, now = Chat((ChatTurn(Role.USER, PROMPT),)), self._clock.monotonic_seconds()
        order = Order(claims, chat, self._sampling, True, now, self._clock.wall_microseconds(), None)
        await Generation(order, self._parts).serve(put)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def run(streams: Sequence[int], rounds: int, seconds: float, output_tokens: int) -> None:
    """Measures and prints a table."""
    clock = SystemClock()
    engine = engine_from(ServedModel(1024, str(MODEL)), VllmParameters(), clock)
    await engine.start()
    await warm_up(engine)
    load = Load(engine, clock, output_tokens)
    print("| streams | way | CPU per token, µs | TTFT p50 ms | tokens/s |\n|---|---|---|---|---|")
    for count in streams:
        figures = {way: Figures() for way in WAYS}
        for number in range(rounds):
            for way in list(WAYS)[:: 1 if number % 2 else -1]:
                with WAYS[way](engine):
                    await load.measure(count, seconds, figures[way])
        for way, measured in figures.items():
            print(measured.row(count, way), flush=True)
    await asyncio.to_thread(engine.shutdown)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--tokens", type=int, default=64)
    told = parser.parse_args()
    uvloop.run(run(told.streams, told.rounds, told.seconds, told.tokens))


if __name__ == "__main__":
    main()
