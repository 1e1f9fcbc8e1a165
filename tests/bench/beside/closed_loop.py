"""A closed load: so many streams, each of which asks again as soon as its answer ended."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.bench.beside.window import Answer, Seen, seen_between

PROMPTS = (
    "Écris un bref compte rendu.",
    "Write a short report on the visit.",
    "Schreib einen kurzen Bericht.",
    "Scrivi una breve lettera all'ufficio.",
    "Describe a café.",
    "Schrijf een kort verslag.",
    "Escribe una carta breve al ayuntamiento.",
    "What is the capital of France?",
)
# A server that refuses is not asked again at once, or the refusals would be all that is measured.
_AFTER_A_FAILURE_SECONDS = 0.2

Ask = Callable[[str], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Load:
    """How many streams, for how long, and how long their answers may be.

    The window opens `lead_seconds` after the first requests, once every stream has had an answer: where a
    server hands out its first texts late, the emptier time before is not part of its rate. It is waited for
    `most_lead_seconds` at most. `is_streamed` is False for whole answers.
    """

    streams: int
    lead_seconds: float
    seconds: float
    max_tokens: int
    is_streamed: bool = True
    most_lead_seconds: float = 20.0


async def closed_loop(asks: Sequence[Ask], load: Load, say: Callable[[str], None]) -> Seen:
    """Runs the load, says "opened" and "closed" at those moments, and waits for the last answers."""
    answers: list[Answer] = []
    prompts = itertools.cycle(PROMPTS)
    closing = asyncio.Event()
    answered = [asyncio.Event() for _ in asks]
    streams = [
        asyncio.create_task(_stream(ask, prompts, closing, answers, first))
        for ask, first in zip(asks, answered, strict=True)
    ]
    try:
        await asyncio.sleep(load.lead_seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, load.most_lead_seconds - load.lead_seconds)):
                await asyncio.gather(*(first.wait() for first in answered))
        opened = time.monotonic()
        say("opened")
        await asyncio.sleep(load.seconds)
        closed = time.monotonic()
        say("closed")
        closing.set()
        await asyncio.gather(*streams)
    finally:
        for stream in streams:
            stream.cancel()
    return seen_between(opened, closed, answers)


async def _stream(
    ask: Ask,
    prompts: Iterator[str],
    closing: asyncio.Event,
    answers: list[Answer],
    answered: asyncio.Event,
) -> None:
    while not closing.is_set():
        answer = await ask(next(prompts))
        answers.append(answer)
        answered.set()
        if answer.failed:
            await asyncio.sleep(_AFTER_A_FAILURE_SECONDS)
