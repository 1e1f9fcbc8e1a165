"""A whole answer is its client's until it has been sent: no other bound begins before that."""

import asyncio

import pytest

from services.runtime.http.asgi import Receive, Scope, Send
from tests.services.runtime.http.serving import GET, Client, answer, read_all, serving

# More than the buffers of both kernels take.
_LARGE = b"x" * 20_000_000
_CLOSE = b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


async def _application(_scope: Scope, receive: Receive, send: Send) -> None:
    await read_all(receive)
    await answer(send, _LARGE)


async def _read_slowly(client: Client, left_bytes: int) -> None:
    """Takes a part every little while, which lasts many times as long as the bounds of these tests."""
    while left_bytes:
        part_bytes = min(500_000, left_bytes)
        await client.exactly(part_bytes)
        left_bytes -= part_bytes
        await asyncio.sleep(0.02)


async def test_a_steady_reader_of_a_large_answer_gets_all_of_it_however_short_an_idle_connection_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.runtime.http.connection._FLUSH_SECONDS", 0.05)
    async with serving(_application, idle_seconds=0.05, write_seconds=5) as served:
        client = await served.connect()
        client.send(GET)
        await client.until(b"\r\n\r\n")
        await _read_slowly(client, len(_LARGE))


@pytest.mark.parametrize("is_draining", [False, True])
async def test_a_connection_that_ends_with_its_answer_ends_when_all_of_it_was_sent(
    monkeypatch: pytest.MonkeyPatch, *, is_draining: bool
) -> None:
    monkeypatch.setattr("services.runtime.http.connection._FLUSH_SECONDS", 0.05)
    async with serving(_application, write_seconds=5, drain_seconds=5) as served:
        client = await served.connect()
        client.send(GET if is_draining else _CLOSE)
        await client.until(b"\r\n\r\n")
        draining = asyncio.create_task(served.server.stop()) if is_draining else None
        await _read_slowly(client, len(_LARGE))
        assert await client.rest() == b""
        if draining is not None:
            await draining


async def test_what_is_asked_ahead_is_answered_behind_a_large_answer() -> None:
    async with serving(_application, idle_seconds=0.05, write_seconds=5) as served:
        client = await served.connect()
        client.send(GET + GET)
        for _ in range(2):
            await client.until(b"\r\n\r\n")
            await _read_slowly(client, len(_LARGE))


async def test_a_client_that_leaves_within_a_written_answer_leaves_nothing_behind() -> None:
    async with serving(_application, write_seconds=5) as served:
        client = await served.connect()
        client.send(GET)
        await client.until(b"\r\n\r\n")
        client.abort()
        await served.closed()


async def test_a_small_answer_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.runtime.http.connection.Flush", None)

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await answer(send, b"x")

    async with serving(application) as served:
        client = await served.connect()
        for _ in range(3):
            client.send(GET)
            assert (await client.answer())[2] == b"x"
