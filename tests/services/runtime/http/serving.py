"""A server on loopback around a small application, and a client that speaks in bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.kernel.clock import ManualClock
from services.runtime.http.asgi import Application, Message, Receive, Scope, Send
from services.runtime.http.bounds import HttpBounds, Refusal, RefusalAnswer
from services.runtime.http.server import HttpServer, bind

WAIT_SECONDS = 5.0
STATUSES = {
    Refusal.MALFORMED: 400,
    Refusal.HEAD_TOO_LARGE: 431,
    Refusal.VERSION_UNSUPPORTED: 505,
    Refusal.BODY_WASTEFUL: 400,
    Refusal.TOO_MANY_CONNECTIONS: 503,
    Refusal.CRASHED: 500,
}

GET = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"


def refuse(refusal: Refusal) -> RefusalAnswer:
    return RefusalAnswer(STATUSES[refusal], ((b"x-refusal", refusal.name.encode()),), b"refused")


class Echo:
    """Answers with the method, the path and the body; keeps what it was asked."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []
        self.disconnects = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body = await read_all(receive)
        if body is None:
            self.disconnects += 1
            return
        self.bodies.append(body)
        await answer(send, f"{scope['method']} {scope['path']} ".encode() + body)


async def read_all(receive: Receive) -> bytes | None:
    """The whole body, or None where the client left."""
    parts, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message["body"])
        more = message["more_body"]
    return b"".join(parts)


async def answer(send: Send, body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
    """A whole answer with a length."""
    length = (b"content-length", b"%d" % len(body))
    start: Message = {"type": "http.response.start", "status": status, "headers": [length, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(application: Application, **bounds: Any) -> AsyncIterator["Served"]:
    """The application behind a server with bounds of these tests."""
    limits = {
        "max_head_bytes": 8192,
        "max_connections": 64,
        "head_seconds": 2.0,
        "idle_seconds": 2.0,
        "drain_seconds": 1.0,
    }
    server = HttpServer(application, HttpBounds(**(limits | bounds)), refuse, ManualClock())
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    await server.start(bound)
    served = Served(server, port)
    try:
        yield served
    finally:
        for client in served.clients:
            client.close()
        await server.stop()


class Served:
    """A server that runs, and the clients of a test."""

    def __init__(self, server: HttpServer, port: int) -> None:
        self.server = server
        self.port = port
        self.clients: list[Client] = []

    async def connect(self) -> "Client":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def closed(self) -> None:
        """Returns once the server has no connection."""
        await asyncio.wait_for(self.server._registry._empty.wait(), WAIT_SECONDS)

    async def ask(self, request: bytes) -> bytes:
        """All that comes back for bytes on a connection of their own, until the server closes it."""
        client = await self.connect()
        client.send(request)
        return await client.rest()


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def flushed(self) -> None:
        await asyncio.wait_for(self._writer.drain(), WAIT_SECONDS)

    async def send_without_end(self, data: bytes) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                self._writer.write(data)
                await self._writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """One answer with a length or in chunks."""
        head = (await self.until(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        body = b""
        if "content-length" in fields:
            body = await self.exactly(int(fields["content-length"]))
        elif fields.get("transfer-encoding") == "chunked":
            while size := int(await self.until(b"\r\n"), 16):
                body += (await self.exactly(size + 2))[:-2]
            await self.exactly(2)
        return int(head[0].split()[1]), fields, body

    async def until(self, separator: bytes) -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(separator), WAIT_SECONDS)

    async def exactly(self, size: int) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(size), WAIT_SECONDS)

    async def rest(self) -> bytes:
        """All that comes until the server closes the connection."""
        return await asyncio.wait_for(self._reader.read(), WAIT_SECONDS)

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()


def post(body: bytes, *lines: bytes, path: bytes = b"/a") -> bytes:
    """A POST with its body."""
    length = b"content-length: %d" % len(body)
    return b"\r\n".join([b"POST " + path + b" HTTP/1.1", b"host: x", length, *lines, b"", body])


async def stream(send: Send, parts: list[bytes]) -> None:
    """Begins an answer and sends parts of it."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
