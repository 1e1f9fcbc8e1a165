"""The policies on real replicas: vLLM on tiny-eu, two of them on this machine, asked the same by a seed.

What is counted does not depend on how busy the machine is; the times do.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from comptoir.client import user
from comptoir.client.aio import Client, Generation
from comptoir.client.chat import Chat
from comptoir.generator.v1.generator_pb2 import Sampling

from services.router.domain.limits import PlacementPolicy
from tests.system.serving_processes import MODEL, ServingProcesses
from tests.system.stack_process import REPOSITORY

REPLICAS: Final = 2
POLICIES: Final = (
    PlacementPolicy.ROUND_ROBIN,
    PlacementPolicy.LEAST_WORK,
    PlacementPolicy.PREFIX_AFFINITY,
)
HEAD: Final = (
    "policy",
    "shared prefixes: input tokens cached",
    "TTFT p50 / p95",
    "skewed lengths: short prompts behind a long one",
    "TTFT p50 / p95 of short ones",
)
_MODEL_FOLDER: Final = REPOSITORY / "deploy" / "models" / "tiny-eu"
_WORDS: Final = (
    "market",
    "river",
    "contract",
    "minister",
    "window",
    "energy",
    "paper",
    "council",
    "bridge",
    "winter",
)
_TIMES_EACH, _CALLERS = 4, 3
_PREFIX_WORDS, _OWN_WORDS = 240, 8
# Of input tokens, what is cached where each prefix is computed once: whole blocks of it, of 128 tokens.
PREFIX_SHARE: Final = 0.69
_LONG_WORDS, _SHORT_CALLERS, _SHORT_WORDS = 560, 3, 12
_WAIT_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many prompts a policy is asked: prefixes that several share, and long ones beside short ones."""

    prefixes: int = 16
    long_prompts: int = 24


MEASURED: Final = Counts()


@dataclass(slots=True)
class Shared:
    """What became of prompts that share prefixes."""

    input_tokens: int = 0
    cached_tokens: int = 0
    first_seconds: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Skewed:
    """What became of short prompts beside long ones; `behind` had a long one before them on their replica."""

    behind: int = 0
    first_seconds: list[float] = field(default_factory=list)
    # Long prompts that have no token yet, by the address of their replica.
    waiting: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Run:
    """One policy on both shapes."""

    policy: str
    shared: Shared
    skewed: Skewed


class EngineProcesses(ServingProcesses):
    """Processes whose engines are real, which takes its time on a busy machine."""

    context_tokens = 2048
    start_seconds = 300.0


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[ServingProcesses]:
    """Two replicas of the real engine behind one router."""
    generator = {"engine": "vllm", "model_path": str(_MODEL_FOLDER)}
    processes = EngineProcesses(folder, replicas=REPLICAS, generator=generator)
    try:
        await processes.start()
        yield processes
    finally:
        await processes.stop()


async def measure(
    processes: ServingProcesses,
    policies: Sequence[PlacementPolicy],
    note: Callable[[str], None],
    counts: Counts = MEASURED,
) -> list[Run]:
    """Returns what each policy made of the same prompts, after another, each with words that are its own."""
    runs = []
    key = await processes.key("bench")
    for policy in policies:
        note(f"placement on {REPLICAS} replicas of vLLM: {policy.value}")
        await processes.change("router", placement={"policy": policy.value})
        await processes.until_replicas(["ready"] * REPLICAS)
        async with Client(processes.router_address, api_key=key) as client, asyncio.timeout(_WAIT_SECONDS):
            shared = await _shared(client, policy.value, counts)
            runs.append(Run(policy.value, shared, await _skewed(client, policy.value, counts)))
    return runs


def run_all(note: Callable[[str], None]) -> list[Run]:
    """Returns the figures of every policy; the engines start for it, which takes most of the time."""

    async def measured() -> list[Run]:
        with tempfile.TemporaryDirectory(prefix="comptoir-placement-") as folder:
            async with serving(Path(folder)) as processes:
                return await measure(processes, POLICIES, note)

    return asyncio.run(measured())


def rows_of(runs: Sequence[Run]) -> list[list[str]]:
    """Returns the rows below `HEAD`."""
    return [
        [
            run.policy.replace("_", " "),
            f"{run.shared.cached_tokens / run.shared.input_tokens:.0%}",
            _times(run.shared.first_seconds),
            f"{run.skewed.behind} of {len(run.skewed.first_seconds)}",
            _times(run.skewed.first_seconds),
        ]
        for run in runs
    ]


async def _shared(client: Client, name: str, counts: Counts) -> Shared:
    """Asks every prefix some times, in a drawn order, a few at a time."""
    draw, found = random.Random(name), Shared()
    prefixes = [_text(draw, _PREFIX_WORDS) for _ in range(counts.prefixes)] * _TIMES_EACH
    random.Random(1).shuffle(prefixes)
    prompts = iter([f"{prefix} {_text(draw, _OWN_WORDS)}" for prefix in prefixes])

    async def call() -> None:
        for prompt in prompts:
            began = time.monotonic()
            async with client.generate(**_chat(prompt)) as generation:
                found.first_seconds.append(await _first_token_at(generation) - began)
                await _end(generation)
            found.input_tokens += generation.finished.input_tokens
            found.cached_tokens += generation.finished.cached_input_tokens

    await asyncio.gather(*(call() for _ in range(_CALLERS)))
    return found


async def _skewed(client: Client, name: str, counts: Counts) -> Skewed:
    """Asks one long prompt after the other, and short ones beside them all the time."""
    found = Skewed()
    long = asyncio.create_task(_ask_long(client, name, found, counts.long_prompts))
    shorts = [_ask_short(client, f"{name} {number}", found, long) for number in range(_SHORT_CALLERS)]
    await asyncio.gather(long, *shorts)
    return found


async def _ask_long(client: Client, name: str, found: Skewed, prompts: int) -> None:
    draw = random.Random(f"{name} long")
    for _ in range(prompts):
        async with client.generate(**_chat(_text(draw, _LONG_WORDS))) as generation:
            address = generation.admitted.offer.generator_address
            found.waiting.append(address)
            await _first_token_at(generation)
            found.waiting.remove(address)
            await _end(generation)


async def _ask_short(client: Client, name: str, found: Skewed, long: "asyncio.Task[None]") -> None:
    draw = random.Random(name)
    while not long.done():
        began = time.monotonic()
        async with client.generate(**_chat(_text(draw, _SHORT_WORDS))) as generation:
            found.behind += generation.admitted.offer.generator_address in found.waiting
            found.first_seconds.append(await _first_token_at(generation) - began)
            await _end(generation)


async def _first_token_at(generation: Generation) -> float:
    """Returns when the first token came."""
    async for _ in generation:
        break
    return time.monotonic()


async def _end(generation: Generation) -> None:
    async for _ in generation:
        pass


def _chat(prompt: str) -> Chat:
    return Chat(
        model=MODEL,
        messages=[user(prompt)],
        max_output_tokens=2,
        sampling=Sampling(ignore_eos=True),
    )


def _text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choice(_WORDS) for _ in range(words))


def _times(seconds: Sequence[float]) -> str:
    times = sorted(seconds)
    quantiles = (times[int(share * len(times))] * 1e3 for share in (0.5, 0.95))
    return " / ".join(f"{value:.0f}" for value in quantiles) + " ms"
