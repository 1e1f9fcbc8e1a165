"""Results on their way out: in pieces, each within its time, with the engine freed at the end."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.domain.limits import FrontLimits
from deploy.local.clickhouse.domain.ports import Stream
from deploy.local.clickhouse.server.answers import exception_tag, late_error
from deploy.local.clickhouse.server.runner import Lease
from deploy.local.clickhouse.wire.codings import encoder_of
from services.runtime.http.asgi import ABORT, BrokenAnswerError

_PIECE_BYTES: Final = 256 * 1024


class BrokenResultError(BrokenAnswerError):
    """A result failed after it began; the connection must end without the end of a body."""


class OwningResponse(Response, ABC):
    """Sends its pieces, and gives back the place and the connection of its query whatever happens.

    A client that leaves, does not take a piece within `write_seconds`, or the whole within
    `max_execution_seconds` (which the engine keeps for streams) ends it. What is sent
    counts as running: the memory of results that nobody reads is bounded by the number of places.
    """

    def __init__(self, owned: AsyncExitStack, limits: FrontLimits) -> None:
        super().__init__()
        self._owned = owned
        self._write_seconds = limits.write_seconds
        self._answer_seconds = limits.max_execution_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the result."""
        leaving = asyncio.ensure_future(_left(receive))
        try:
            async with self._owned:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async with asyncio.timeout(self._answer_seconds):
                    await self._send_pieces(send, leaving)
        except TimeoutError:
            scope.get("state", {}).get(ABORT, _nothing)()
            raise BrokenResultError from None
        finally:
            leaving.cancel()

    @abstractmethod
    async def _send_pieces(self, send: Send, leaving: "asyncio.Future[None]") -> None:
        """Sends the whole body, in pieces; ends early where the client leaves."""

    async def _send(self, send: Send, body: bytes, *, is_last: bool = False) -> None:
        """Sends `body` in parts that a client can take within the time, so it is not held twice."""
        for start in range(0, max(len(body), 1), _PIECE_BYTES):
            part = body[start : start + _PIECE_BYTES]
            ends = is_last and start + _PIECE_BYTES >= len(body)
            async with asyncio.timeout(self._write_seconds):
                await send({"type": "http.response.body", "body": part, "more_body": not ends})


class WholeResult(OwningResponse):
    """A result of known length."""

    def __init__(self, owned: AsyncExitStack, limits: FrontLimits, body: bytes) -> None:
        super().__init__(owned, limits)
        self._body = body

    def describe(self, headers: Mapping[str, str]) -> "WholeResult":
        """Returns the answer itself, with `headers`."""
        self.init_headers({**headers, "Content-Length": str(len(self._body))})
        return self

    async def _send_pieces(self, send: Send, leaving: "asyncio.Future[None]") -> None:
        del leaving
        await self._send(send, self._body, is_last=True)


@dataclass(frozen=True, slots=True)
class Begun:
    """A result whose first piece is there."""

    lease: Lease
    stream: Stream
    first: bytes


class ResultStream(OwningResponse):
    """Sends what `stream` gives, the first piece first."""

    def __init__(
        self,
        owned: AsyncExitStack,
        limits: FrontLimits,
        begun: Begun,
        *,
        coding: str,
        version: str,
    ) -> None:
        super().__init__(owned, limits)
        self._lease = begun.lease
        self._stream = begun.stream
        self._first = begun.first
        self._encoder = encoder_of(coding)
        self._version = version
        self._tag = exception_tag()
        self._is_over = False
        owned.push_async_callback(self._end)

    def describe(self, headers: Mapping[str, str]) -> "ResultStream":
        """Returns the answer itself, with `headers` and without a length."""
        self.init_headers({**headers, "X-ClickHouse-Exception-Tag": self._tag})
        del self.headers["content-length"]
        return self

    async def _send_pieces(self, send: Send, leaving: "asyncio.Future[None]") -> None:
        try:
            # An encoder that was given nothing has not begun, and what ends the body is then all of it.
            has_more = bool(self._first)
            piece = await self._lease.encode(self._encoder, self._first) if has_more else b""
            while has_more and not leaving.done():
                await self._send(send, piece)
                piece = await self._lease.fetch(self._stream, self._encoder)
                has_more = bool(piece)
        except StoreError as error:
            late = late_error(error, self._version, self._tag)
            await self._send(send, self._encoder.encode(late) + self._encoder.finish())
            raise BrokenResultError from None
        self._is_over = not has_more
        await self._send(send, self._encoder.finish(), is_last=True)

    async def _end(self) -> None:
        if not self._is_over:
            await self._lease.end(self._stream)


async def _left(receive: Receive) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass


def _nothing() -> None:
    """Does nothing: where a server offers no way to end a connection, raising is all there is."""
