"""Connections that send nothing, half a request or no end keep nobody out, and are closed in time."""

import asyncio

import pytest

from services.runtime.http.asgi import Receive, Scope, Send
from tests.services.runtime.http.serving import GET, Client, Echo, answer, read_all, serving


async def rest_or_reset(client: Client) -> bytes:
    """As `rest`; the kernel resets a connection whose other end is closed when more is sent on it."""
    try:
        return await client.rest()
    except ConnectionResetError:
        return b""


async def test_a_line_end_behind_an_answer_pins_no_connection() -> None:
    async with serving(Echo(), idle_seconds=0.2) as served:
        client = await served.connect()
        client.send(GET)
        await client.answer()

        async def send_line_ends() -> None:
            while True:
                client.send(b"\r\n")
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(send_line_ends())
        assert await rest_or_reset(client) == b""
        sending.cancel()


async def test_a_head_that_comes_byte_by_byte_ends_with_its_time() -> None:
    async with serving(Echo(), head_seconds=0.2, idle_seconds=60.0) as served:
        client = await served.connect()
        client.send(GET)
        await client.answer()

        async def send_slowly() -> None:
            for byte in b"GET / HTTP/1.1\r\n" + b"a" * 1_000:
                client.send(bytes([byte]))
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(send_slowly())
        assert await rest_or_reset(client) == b""
        sending.cancel()


async def test_a_connection_that_sends_nothing_is_closed() -> None:
    async with serving(Echo(), head_seconds=0.05) as served:
        assert await served.ask(b"") == b""


async def test_connections_that_send_nothing_keep_nobody_out() -> None:
    async with serving(Echo(), max_connections=8, head_seconds=60.0) as served:
        silent = [await served.connect() for _ in range(30)]
        client = await served.connect()
        client.send(GET)
        assert (await client.answer())[0] == 200
        assert await silent[0].rest() == b""
        assert served.server.connections <= 8


async def test_connections_with_half_a_head_keep_nobody_out() -> None:
    async with serving(Echo(), max_connections=4, head_seconds=60.0) as served:
        for _ in range(10):
            (await served.connect()).send(b"GET / HTTP/1.1\r\n")
        client = await served.connect()
        client.send(GET)
        assert (await client.answer())[0] == 200


@pytest.mark.parametrize(
    "half", [b"content-length: 10\r\n\r\nhi", b"transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"]
)
async def test_connections_with_half_a_body_keep_nobody_out(half: bytes) -> None:
    async with serving(Echo(), max_connections=4, head_seconds=60.0) as served:
        stalled = [await served.connect() for _ in range(4)]
        for client in stalled:
            client.send(b"POST / HTTP/1.1\r\n" + half)
            await asyncio.sleep(0.01)
        client = await served.connect()
        client.send(GET)
        assert (await client.answer())[0] == 200
        assert await stalled[0].rest() == b""


async def test_a_connection_whose_body_is_whole_does_not_give_way() -> None:
    gate = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await gate.wait()
        await answer(send, b"ok")

    async with serving(application, max_connections=1) as served:
        working = await served.connect()
        working.send(b"POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\nhi")
        await asyncio.sleep(0.01)
        working.send(b"hi")
        await asyncio.sleep(0.05)
        assert (await served.ask(b"")).startswith(b"HTTP/1.1 503 ")
        gate.set()
        assert (await working.answer())[2] == b"ok"


async def test_where_every_connection_works_a_new_one_is_told_so() -> None:
    gate = asyncio.Event()

    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await gate.wait()
        await answer(send, b"ok")

    async with serving(application, max_connections=2) as served:
        working = [await served.connect() for _ in range(2)]
        for client in working:
            client.send(GET)
        await asyncio.sleep(0.05)
        assert (await served.ask(b"")).startswith(b"HTTP/1.1 503 ")
        gate.set()
        for client in working:
            assert (await client.answer())[0] == 200


async def test_a_client_that_sends_without_end_after_its_answer_is_closed() -> None:
    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"no", 401)

    async with serving(application) as served:
        client = await served.connect()
        client.send(b"POST / HTTP/1.1\r\ncontent-length: 900000000\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|Broken pipe|lost"):
            await client.send_without_end(b"x" * 65_536)
        await served.closed()


async def test_a_client_that_stops_reading_its_last_answer_is_closed_in_the_end() -> None:
    async def application(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await answer(send, b"x" * 64_000_000)

    async with serving(application, write_seconds=0.1, idle_seconds=60) as served:
        client = await served.connect()
        client.send(GET)
        await client.until(b"\r\n\r\n")
        await served.closed()
