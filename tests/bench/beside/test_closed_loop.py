import asyncio
import time
from dataclasses import replace

from tests.bench.beside.closed_loop import PROMPTS, Load, closed_loop
from tests.bench.beside.window import Answer

LOAD = Load(streams=2, lead_seconds=0.0, seconds=0.01, max_tokens=1)


async def test_every_stream_asks_until_the_window_closes_and_all_prompts_take_turns() -> None:
    asked: list[str] = []
    said: list[str] = []

    async def ask(prompt: str) -> Answer:
        asked.append(prompt)
        now = time.monotonic()
        await asyncio.sleep(0)
        return Answer(now, now, now, 1)

    seen = await closed_loop([ask] * LOAD.streams, LOAD, said.append)
    assert said == ["opened", "closed"]
    assert tuple(asked[: len(PROMPTS)]) == PROMPTS
    assert 0 < seen.requests <= len(asked)
    assert seen.output_tokens == seen.requests


async def test_an_answer_that_is_under_way_at_the_close_is_waited_for() -> None:
    ended = asyncio.Event()
    said: list[str] = []

    async def ask(prompt: str) -> Answer:
        sent = time.monotonic()
        await ended.wait()
        return Answer(sent, None, time.monotonic(), 1)

    def say(what: str) -> None:
        said.append(what)
        if what == "closed":
            ended.set()

    seen = await closed_loop([ask], replace(LOAD, most_lead_seconds=0.0), say)
    assert (seen.requests, seen.output_tokens) == (0, 0)
    assert said == ["opened", "closed"]


async def test_the_window_opens_once_every_stream_has_had_an_answer() -> None:
    first_ended = asyncio.Event()
    asked: list[str] = []
    opened_after: list[int] = []

    async def slow(prompt: str) -> Answer:
        await first_ended.wait()
        asked.append("slow")
        return await quick(prompt)

    async def quick(prompt: str) -> Answer:
        asked.append("quick")
        if len(asked) > 100:
            first_ended.set()
        now = time.monotonic()
        await asyncio.sleep(0)
        return Answer(now, now, now, 1)

    def say(what: str) -> None:
        if what == "opened":
            opened_after.append(asked.count("slow"))

    await closed_loop([slow, quick], LOAD, say)
    assert opened_after[0] >= 1
