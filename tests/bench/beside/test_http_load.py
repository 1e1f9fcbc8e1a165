import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.bench.beside import hold, http_load
from tests.bench.beside.chat import Endpoint
from tests.bench.beside.closed_loop import PROMPTS, Load
from tests.bench.beside.served import FINISH, HEAD, PRELUDE, TEXT, USAGE, chunked

GOOD = HEAD + chunked(PRELUDE, TEXT, FINISH, USAGE)
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}"


@asynccontextmanager
async def serving(answer: Callable[[int], bytes], *, is_kept: bool = True) -> AsyncIterator[Endpoint]:
    """A server that gives the n-th request the n-th answer, and may close after each."""
    served = 0
    conversations: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            while head := await reader.read(65_536):
                assert head.startswith(b"POST /v1/chat/completions")
                served += 1
                writer.write(answer(served))
                if not is_kept:
                    break

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.add(asyncio.create_task(converse(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield Endpoint(server.sockets[0].getsockname()[1], "tiny-eu")
    # Every client has closed its connection.
    async with asyncio.timeout(30):
        await asyncio.gather(*conversations)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    heard: list[tuple[str, dict[str, Any]]] = []

    def say(what: str, **more: Any) -> None:
        heard.append((what, more))

    monkeypatch.setattr(http_load, "say", say)
    monkeypatch.setattr(hold, "say", say)
    return heard


async def test_a_load_counts_answers_tokens_and_first_texts(said: list[tuple[str, dict[str, Any]]]) -> None:
    async with serving(lambda _: GOOD) as endpoint:
        await http_load.run_load(endpoint, Load(2, 0.0, 0.05, 20))
    assert [what for what, _ in said] == ["opened", "closed", "done"]
    seen = said[-1][1]["seen"]
    assert seen["requests"] > 0
    assert seen["output_tokens"] == pytest.approx(20 * seen["requests"], rel=0.1, abs=40)
    assert len(seen["ttft_seconds"]) > 0
    assert seen["failures"] == {}


async def test_a_server_that_closes_after_each_answer_is_connected_anew(
    said: list[tuple[str, dict[str, Any]]],
) -> None:
    async with serving(lambda _: GOOD, is_kept=False) as endpoint:
        await http_load.answer_prompts(endpoint, 20)
    what, more = said[-1]
    assert what == "answers"
    assert [answer["text"] for answer in more["answers"]] == ["Bonjour"] * len(PROMPTS)


async def test_refusals_are_failures_by_their_status(said: list[tuple[str, dict[str, Any]]]) -> None:
    async with serving(lambda _: REFUSAL) as endpoint:
        await http_load.run_load(endpoint, Load(3, 0.0, 0.01, 20, most_lead_seconds=0.0))
        await http_load.answer_prompts(endpoint, 20)
    assert said[2][1]["seen"]["failures"] == {"status 503": 3}
    assert said[-1] == ("failed", {"why": "status 503"})


async def test_streams_are_held_once_all_have_begun_and_refused_ones_are_asked_for_again(
    said: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "_AFTER_A_REFUSAL_SECONDS", 0.0)
    begun = HEAD + chunked(TEXT).removesuffix(b"0\r\n\r\n")
    async with serving(lambda number: REFUSAL if number == 3 else begun) as endpoint:
        holder = hold.Holder(endpoint, 64)
        await holder.hold(5, begin_seconds=30)
        holder.close()
    assert said == [("held", {"begun": 5, "lost": 0, "refusals": {"503": 1}})]


async def test_streams_that_do_not_begin_in_time_are_not_held(said: list[tuple[str, dict[str, Any]]]) -> None:
    async with serving(lambda _: b"") as endpoint:
        holder = hold.Holder(endpoint, 64)
        await holder.hold(2, begin_seconds=0.1)
        holder.close()
    assert said == [("held", {"begun": 0, "lost": 0, "refusals": {}})]
