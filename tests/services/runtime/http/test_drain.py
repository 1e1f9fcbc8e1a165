"""A drain lets answers end and closes what waits, in bounded time."""

import asyncio
import time

from services.runtime.http.asgi import Receive, Scope, Send
from tests.services.runtime.http.serving import GET, answer, read_all, serving, stream


async def test_a_drain_lets_answers_end_and_closes_what_waits() -> None:
    gate = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await gate.wait()
        await answer(send, b"ok")

    async with serving(application) as served:
        waiting, working = await served.connect(), await served.connect()
        working.send(GET)
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(served.server.stop())
        assert await waiting.rest() == b""
        gate.set()
        status, fields, _ = await working.answer()
        assert (status, fields["connection"]) == (200, "close")
        await asyncio.wait_for(stopping, 2)


async def test_a_drain_that_begins_right_behind_an_answer_leaves_no_connection() -> None:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await answer(send, b"ok")
        for member in served.server._registry._members:
            member.drain()

    async with serving(application, idle_seconds=60.0) as served:
        assert (await served.ask(GET)).endswith(b"ok")


async def test_a_drain_ends_within_its_bound() -> None:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await stream(send, [b"x"])
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send({"type": "http.response.body", "body": b"last words"})

    async with serving(application, drain_seconds=0.1) as served:
        client = await served.connect()
        client.send(GET)
        await client.until(b"x\r\n")
        started = time.monotonic()
        await served.server.stop()
        assert (await client.rest()).endswith(b"last words\r\n0\r\n\r\n")
        assert time.monotonic() - started < 5
