"""Requests of a load to a real HTTP server: what is asked, what is seen, and every way in which it fails."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.cli.adapters.openai_load import Target, endpoint_at
from services.cli.bench.exchange import CountedBy, Exchange
from services.cli.loading.orders import Order
from tests.ports import free_port
from tests.services.cli.http_server import serving_http

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


def stream(*texts: str, usage: tuple[int, int] | None = (9, 3), is_whole: bool = True) -> bytes:
    events: list[dict[str, Any]] = [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}]
    events += [{"choices": [{"delta": {"content": text}}]} for text in texts]
    if usage is not None:
        counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
        events.append({"choices": [], "usage": counts})
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return body + (b"data: [DONE]\n\n" if is_whole else b"")


async def sent(target: Target, count_tokens: Callable[[str], int] | None = None) -> Exchange:
    async with endpoint_at(target, time.monotonic, count_tokens) as endpoint:
        return await endpoint.send(Order("Salut", 8), time.monotonic())


async def test_a_streamed_chat_is_asked_with_its_usage_and_timed() -> None:
    asked: list[tuple[str, bytes, str]] = []
    with serving_http({CHAT: (200, stream("a", "b", "c"))}, asked) as url:
        seen = await sent(Target(f"{url}/v1/", "m", api_key="k", extra_body={"temperature": 0}))
    ((path, body, authorization),) = asked
    assert (path, authorization) == (CHAT, "Bearer k")
    assert json.loads(body) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Salut"}],
        "max_tokens": 8,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0,
    }
    assert (seen.failure, seen.input_tokens, seen.output_tokens) == ("", 9, 3)
    assert len(seen.token_seconds) == 3
    assert seen.scheduled_seconds <= seen.sent_seconds <= seen.token_seconds[0] <= seen.ended_seconds


async def test_completions_and_whole_answers_are_asked_as_such_and_without_a_key() -> None:
    asked: list[tuple[str, bytes, str]] = []
    usage = {"prompt_tokens": 4, "completion_tokens": 6}
    whole = json.dumps({"choices": [{"text": "a b"}], "usage": usage}).encode()
    with serving_http({COMPLETIONS: (200, whole)}, asked) as url:
        seen = await sent(Target(f"{url}/v1", "m", "completions", is_streamed=False))
    ((_, body, authorization),) = asked
    assert authorization == ""
    assert json.loads(body) == {"model": "m", "prompt": "Salut", "max_tokens": 8}
    assert (seen.failure, seen.output_tokens, list(seen.token_seconds)) == ("", 6, [])


async def test_a_tokenizer_counts_where_the_endpoint_does_not() -> None:
    with serving_http({CHAT: (200, stream("un ", "deux", usage=None))}) as url:
        seen = await sent(Target(f"{url}/v1", "m"), lambda text: len(text.split()))
    assert (seen.output_tokens, seen.counted_by) == (2, CountedBy.TOKENIZER)


@pytest.mark.parametrize(
    ("status", "body", "failure"),
    [
        (429, b'{"error": {"code": "rate_limit_exceeded"}}', "429 rate_limit_exceeded"),
        (500, b"oops", "500"),
        (302, b"", "302"),
        (200, stream("a", is_whole=False), "broken_off"),
        (200, b"data: {\n\n", "not_openai"),
        (200, b'data: {"error": {"code": "engine_failed"}}\n\n', "engine_failed"),
    ],
)
async def test_a_failure_has_its_name(status: int, body: bytes, failure: str) -> None:
    with serving_http({CHAT: (status, body)}) as url:
        assert (await sent(Target(f"{url}/v1", "m"))).failure == failure


async def test_nobody_there_is_named() -> None:
    assert (await sent(Target(f"http://127.0.0.1:{free_port()}/v1", "m"))).failure == "not_connected"


@asynccontextmanager
async def listening(answer: bytes, *, closes: bool) -> AsyncIterator[str]:
    """A server that says this much and then closes the connection, or says nothing more."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"Salut")
        writer.write(answer)
        await writer.drain()
        if not closes:
            await over.wait()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        over.set()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_connection_that_breaks_is_named() -> None:
    for said in (b"", HEAD + b"5\r\ndata:"):
        async with listening(said, closes=True) as url:
            assert (await sent(Target(url, "m"))).failure == "broken_off"


async def test_who_says_nothing_for_too_long_is_named() -> None:
    async with listening(HEAD, closes=False) as url:
        assert (await sent(Target(url, "m", timeout_seconds=0.2))).failure == "timed_out"


async def test_models_are_listed_where_there_is_a_list() -> None:
    body = json.dumps({"data": [{"id": "a"}, {"id": "b"}]}).encode()
    with serving_http({"/v1/models": (200, body)}) as url:
        async with endpoint_at(Target(f"{url}/v1", ""), time.monotonic) as endpoint:
            assert await endpoint.models() == ["a", "b"]
        async with endpoint_at(Target(f"{url}/v2", ""), time.monotonic) as endpoint:
            assert await endpoint.models() == []
