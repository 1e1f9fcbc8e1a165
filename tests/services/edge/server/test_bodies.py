"""A body of worst-case cost is read in many short steps, and long ones one at a time, the shortest first."""

import asyncio
import itertools
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import pytest

from services.edge.domain.codings import CodingBrokenError, decode
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.chat.request import chat_steps
from services.edge.domain.openai.completions.body import CompletionBody
from services.edge.domain.openai.completions.request import completion_steps
from services.edge.domain.openai.counts.bodies import InputTokensBody, TokenizeBody
from services.edge.domain.openai.counts.request import input_tokens_steps, tokenize_steps
from services.edge.domain.openai.embeddings.body import EmbeddingBody
from services.edge.domain.openai.embeddings.request import embedding_steps
from services.edge.domain.openai.paths import (
    CHAT_PATH,
    COMPLETIONS_PATH,
    EMBEDDINGS_PATH,
    INPUT_TOKENS_PATH,
    RESPONSES_PATH,
    TOKENIZE_PATH,
)
from services.edge.domain.openai.responses.body import ResponsesBody
from services.edge.domain.openai.responses.request import response_steps
from services.edge.server.bodies import SHORT_BYTES, Bodies, read_steps
from services.edge.server.http.exchange import ClientDisconnectedError, Exchange
from services.edge.server.known_keys import KnownKeys
from services.kernel.errors import ComptoirError
from services.kernel.steps import Steps
from tests.bench.beside.worst_bodies import MIB, WorstBody, worst_bodies
from tests.services.edge.scripts import GOOD_KEY, LEASE

KINDS: dict[str, tuple[Callable[[object], Steps[Any]], type[Any]]] = {
    CHAT_PATH: (chat_steps, ChatBody),
    COMPLETIONS_PATH: (completion_steps, CompletionBody),
    EMBEDDINGS_PATH: (embedding_steps, EmbeddingBody),
    RESPONSES_PATH: (response_steps, ResponsesBody),
    TOKENIZE_PATH: (tokenize_steps, TokenizeBody),
    INPUT_TOKENS_PATH: (input_tokens_steps, InputTokensBody),
}
# What one step may call, of Python's functions and of C's: each takes a fraction of a microsecond.
CALLS_PER_STEP = 25_000


def calls_of_steps(steps: Steps[Any]) -> list[int]:
    """How many functions each step called."""
    calls = [0]

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        calls[-1] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        while True:
            next(steps)
            calls.append(0)
    except StopIteration:
        pass
    except ComptoirError:
        # A refusal may cost as much as what is served.
        pass
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("worst", worst_bodies("tiny-eu"), ids=lambda worst: worst.name)
def test_no_step_of_a_worst_body_does_much(worst: WorstBody) -> None:
    assert len(worst.content) <= MIB
    content = worst.content
    if worst.coding:
        try:
            content = decode(content, [worst.coding.encode()], max_bytes=MIB)
        except (CodingBrokenError, ComptoirError):
            # What it becomes is refused before anything reads it.
            return
    calls = calls_of_steps(read_steps(content, *KINDS[worst.path]))
    assert max(calls) <= CALLS_PER_STEP
    # To copy, to search or to decode a MiB takes a millisecond or two: not all of that in one step.
    assert len(calls) >= 5 or sum(calls) < 100


class FakeExchange:
    """As much of an exchange as a body needs."""

    key_regions = None

    def __init__(self, content: bytes) -> None:
        self.event = type("Event", (), {"request_bytes": 0, "request_id": LEASE})()
        self.is_complete = self.is_client_disconnected = False
        self.left: Callable[[], None] | None = None
        self._content = content

    def header_values(self, name: bytes) -> list[bytes]:
        headers = {
            b"content-length": b"%d" % len(self._content),
            b"authorization": b"Bearer " + GOOD_KEY.encode(),
        }
        return [headers[name]] if name in headers else []

    def add_headers(self, _headers: object) -> None:
        return None

    def watch(self, left: Callable[[], None] | None) -> None:
        self.left = left

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._content, "more_body": False}


class EveryKey:
    """Knows every key."""

    async def check(self, _key: str, _request_id: object) -> None:
        return None


def bodies_at(seconds: Callable[[], float]) -> Bodies:
    return Bodies(EdgeLimits(), cast(KnownKeys, EveryKey()), seconds)


def reading(
    bodies: Bodies, log: list[str], name: str, *, size: int
) -> "tuple[FakeExchange, asyncio.Task[str]]":
    exchange = FakeExchange(b"{%b}" % (b" " * (size - 2)))

    def parse(_value: object) -> Steps[str]:
        for _ in range(3):
            log.append(name)
            yield
        return name

    read = bodies.read(cast(Exchange, exchange), parse, ChatBody)
    return exchange, asyncio.create_task(read)


def slow_bodies() -> Bodies:
    """Bodies of which each step takes a millisecond."""
    seconds = itertools.count()
    return bodies_at(lambda: next(seconds) / 1000)


async def test_long_bodies_are_read_one_at_a_time_and_short_ones_between() -> None:
    bodies, log = slow_bodies(), list[str]()
    tasks = [
        reading(bodies, log, name, size=size)[1]
        for name, size in (("a", 2 * SHORT_BYTES), ("b", 2 * SHORT_BYTES), ("short", SHORT_BYTES))
    ]
    assert await asyncio.gather(*tasks) == ["a", "b", "short"]
    assert log[:3] == ["short"] * 3
    assert log[3:] == ["a"] * 3 + ["b"] * 3


async def test_the_shortest_of_the_long_bodies_is_read_next() -> None:
    bodies, log = slow_bodies(), list[str]()
    tasks = [
        reading(bodies, log, str(number), size=times * SHORT_BYTES)[1]
        for number, times in enumerate((64, 64, 32, 2))
    ]
    await asyncio.gather(*tasks)
    assert log == ["0"] * 3 + ["3"] * 3 + ["2"] * 3 + ["1"] * 3


async def test_a_body_that_takes_little_time_is_read_without_a_pause() -> None:
    bodies, log, turns = bodies_at(lambda: 0.0), list[str](), 0
    tasks = [reading(bodies, log, str(number), size=2 * SHORT_BYTES)[1] for number in range(50)]
    while not all(task.done() for task in tasks):
        turns += 1
        await asyncio.sleep(0)
    assert turns <= 55, "one turn of the loop for each, and some around"


async def test_the_body_of_a_client_that_leaves_holds_nobody_up() -> None:
    bodies, log = slow_bodies(), list[str]()
    first, second, third = (reading(bodies, log, name, size=2 * SHORT_BYTES) for name in "abc")
    await asyncio.sleep(0)
    for exchange, _ in (first, second):
        assert exchange.left is not None
        exchange.left()
    assert await third[1] == "c"
    for _, task in (first, second):
        with pytest.raises(ClientDisconnectedError):
            await task
    assert log == ["c"] * 3
