import asyncio
import time

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

    seen = await closed_loop([ask], LOAD, say)
    assert (seen.requests, seen.output_tokens) == (0, 0)
    assert said == ["opened", "closed"]
