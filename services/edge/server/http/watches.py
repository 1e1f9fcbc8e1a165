"""Watches over an answer under way: ends the work when the client disconnects, keeps idle streams open."""

import asyncio
from types import TracebackType
from typing import Final, Self

from services.edge.domain.openai.streams import PING, WAITING
from services.edge.server.http.exchange import STREAM_HEADERS, ClientDisconnectedError, Exchange

_SILENT_SECONDS: Final = 1.0
_NOTICE_SECONDS: Final = 5.0


class DisconnectWatch:
    """While entered, cancels the current task as soon as the client closes its connection.

    Leaves with ClientDisconnectedError then. The body must have been read.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._exchange.watch(self._cancel)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._exchange.watch(None)
        if isinstance(error, asyncio.CancelledError) and self._exchange.is_client_disconnected:
            if self._task is not None:
                self._task.uncancel()
            raise ClientDisconnectedError from None

    def _cancel(self) -> None:
        if not self._exchange.is_complete and self._task is not None:
            self._exchange.is_client_disconnected = True
            self._task.cancel()


class WriteWatch:
    """While entered, gives up on a client once a write has waited `write_seconds` for it to read.

    One timer per request that looks at the write that waits, so that a chunk costs no timer of its own.
    """

    def __init__(self, exchange: Exchange, *, write_seconds: float) -> None:
        self._exchange = exchange
        self._write_seconds = write_seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(self._write_seconds, self._look)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now_seconds = self._loop.time()
        waiting_since_seconds = self._exchange.waiting_since_seconds or now_seconds
        left_seconds = waiting_since_seconds + self._write_seconds - now_seconds
        if left_seconds <= 0:
            self._exchange.abandon()
        else:
            self._timer = self._loop.call_later(left_seconds, self._look)


class KeepAlive:
    """While entered, sends a comment whenever nothing was written for `idle_seconds`.

    One timer per stream that looks at the last write, so that a chunk costs no timer of its own.
    """

    def __init__(self, exchange: Exchange, *, idle_seconds: float) -> None:
        self._exchange = exchange
        self._idle_seconds = idle_seconds
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._ping: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(self._idle_seconds, self._look)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._ping is not None:
            self._ping.cancel()

    def _look(self) -> None:
        left_seconds = self._exchange.written_seconds + self._idle_seconds - self._loop.time()
        if left_seconds <= 0:
            left_seconds = self._idle_seconds
            # A ping that still waits for the client to read needs no second one behind it.
            if self._ping is None or self._ping.done():
                self._ping = self._loop.create_task(self._exchange.write(PING))
        self._timer = self._loop.call_later(left_seconds, self._look)


class WaitNotice:
    """While entered, tells the client of a stream that it waits: headers after a second, then comments.

    One timer per stream, so that a request that does not wait costs no task.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(_SILENT_SECONDS, self._begin)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._telling is not None:
            self._telling.cancel()

    def _begin(self) -> None:
        self._telling = self._loop.create_task(self._tell())

    async def _tell(self) -> None:
        await self._exchange.begin(200, STREAM_HEADERS)
        while True:
            await self._exchange.write(WAITING)
            await asyncio.sleep(_NOTICE_SECONDS)
