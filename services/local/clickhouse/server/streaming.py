"""A result that leaves in pieces while the engine makes the rest."""

import asyncio
import contextlib
from collections.abc import Mapping
from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.local.clickhouse.domain.errors import StoreError
from services.local.clickhouse.domain.ports import Stream
from services.local.clickhouse.server.answers import exception_tag, late_error
from services.local.clickhouse.server.runner import Lease
from services.local.clickhouse.wire.codings import encoder_of

_TAKES_WITHIN_SECONDS = 60.0


class BrokenResultError(Exception):
    """A result failed after it began; the connection must end without the end of a body."""


class ResultStream(Response):
    """Sends what `stream` gives, the first piece first; whatever happens, the engine is freed at the end.

    A client that leaves, or takes a piece for longer than a minute, ends the query.
    """

    def __init__(
        self, lease: Lease, stream: Stream, owned: AsyncExitStack, *, first: bytes, coding: str, version: str
    ) -> None:
        super().__init__()
        self._lease = lease
        self._stream = stream
        self._owned = owned
        self._first = first
        self._encoder = encoder_of(coding)
        self._version = version
        self._tag = exception_tag()
        self._is_over = False

    def describe(self, headers: Mapping[str, str]) -> "ResultStream":
        """The answer itself, with `headers` and without a length."""
        self.init_headers({**headers, "X-ClickHouse-Exception-Tag": self._tag})
        del self.headers["content-length"]
        return self

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the result."""
        leaving = asyncio.ensure_future(_left(receive))
        try:
            async with self._owned:
                self._owned.push_async_callback(self._end)
                start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                await send(start)
                await self._send_pieces(send, leaving)
        finally:
            leaving.cancel()

    async def _send_pieces(self, send: Send, leaving: "asyncio.Future[None]") -> None:
        piece = self._first
        try:
            while piece and not leaving.done():
                await _send(send, self._encoder.encode(piece))
                piece = await self._lease.fetch(self._stream)
        except StoreError as error:
            late = late_error(error, self._version, self._tag)
            await _send(send, self._encoder.encode(late) + self._encoder.finish())
            raise BrokenResultError from None
        self._is_over = not piece
        await _send(send, self._encoder.finish(), is_last=True)

    async def _end(self) -> None:
        if not self._is_over:
            await self._lease.end(self._stream)


async def _send(send: Send, body: bytes, *, is_last: bool = False) -> None:
    async with asyncio.timeout(_TAKES_WITHIN_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": not is_last})


async def _left(receive: Receive) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
