"""A server that says what a test says, byte for byte, and then keeps, closes or breaks its connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

OK: Final = "200 OK"


class After(Enum):
    """What becomes of the connection once everything was said."""

    CLOSES = "closes"
    BREAKS = "breaks"
    HANGS = "hangs"


@dataclass
class CannedServer:
    """Answers each request for a completion with `pieces`, each written by itself."""

    pieces: Sequence[bytes] = ()
    after: After = After.CLOSES
    status: str = OK
    models: Sequence[dict[str, Any]] = ({"id": "canned"},)
    tokens: Sequence[int] | None = None
    # A page, or what makes one for each look.
    metrics: str | Callable[[], str] | None = None
    description: str | None = None
    is_healthy: bool = True
    # A path that is never answered.
    silent_path: str = ""
    # What a request with that seed is answered instead.
    by_seed: Mapping[int, Sequence[bytes]] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)
    # Connections of completions that their caller closed.
    left: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CannedServer"]:
        """Listens until the block ends."""
        open_writers: set[asyncio.StreamWriter] = set()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            open_writers.add(writer)
            try:
                await self._answer(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                open_writers.discard(writer)
                writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in open_writers:
                writer.transport.abort()
            await server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.headers.append(head)
        path = head.split(b" ")[1].decode()
        body = await reader.readexactly(_length(head))
        if path == "/v1/completions":
            self.bodies.append(json.loads(body))
            await self._stream(reader, writer)
            return
        if path == self.silent_path:
            await reader.read(1)
            return
        status, content = self._told(path)
        writer.write(_head(status, len(content)) + content)
        await writer.drain()

    def _told(self, path: str) -> tuple[str, bytes]:
        if path == "/v1/models":
            return OK, json.dumps({"data": list(self.models)}).encode()
        if path == "/health":
            return (OK if self.is_healthy else "503 Service Unavailable"), b"{}"
        if path == "/openapi.json" and self.description is not None:
            return OK, self.description.encode()
        if path == "/tokenize" and self.tokens is not None:
            return OK, json.dumps({"tokens": list(self.tokens)}).encode()
        if path.endswith("/metrics") and self.metrics is not None:
            return OK, (self.metrics if isinstance(self.metrics, str) else self.metrics()).encode()
        return "404 Not Found", b"{}"

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(self.status, None))
        for piece in self.by_seed.get(self.bodies[-1].get("seed", -1), self.pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if self.after is After.HANGS:
            # Ends with the caller's connection, or with the test.
            await reader.read(1)
            self.left += 1
        elif self.after is After.BREAKS:
            writer.transport.abort()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _head(status: str, length: int | None) -> bytes:
    # Without a length the end of the connection is the end of the answer.
    told = b"" if length is None else f"Content-Length: {length}\r\n".encode()
    return f"HTTP/1.1 {status}\r\n".encode() + told + b"Connection: close\r\n\r\n"


def event(**told: Any) -> bytes:
    return b"data: " + json.dumps(told, ensure_ascii=False).encode() + b"\n\n"


def said(text: str, count: int | None = None, finish: str | None = None) -> bytes:
    """A chunk as vLLM sends it with continuous usage."""
    usage = {} if count is None else {"usage": {"prompt_tokens": 3, "completion_tokens": count}}
    return event(choices=[{"index": 0, "text": text, "finish_reason": finish}], **usage)


def usage(count: int, cached: int = 0) -> bytes:
    """The chunk behind the end."""
    details = {"prompt_tokens_details": {"cached_tokens": cached}}
    return event(choices=[], usage={"prompt_tokens": 3, "completion_tokens": count, **details})


DONE: Final = b"data: [DONE]\n\n"
