"""The called side of joined calls: a task for each call of a stream, and one writer for them all."""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, Generic, TypeVar

from google.protobuf.message import Message

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.grpc.call_log import CallLog, CallRecord
from services.runtime.grpc.joined.idle import IdleStreams
from services.runtime.grpc.joined.message_spacing import MessageSpacing
from services.runtime.grpc.joined.time_limits import TimeLimits

# Of one stream that are open at once; what is above is refused, call by call.
MAX_CALLS: Final = 4096
# What a caller has to read the end of its answers before its stream ends: much, for one that is starved too.
_READ_SECONDS: Final = 0.25

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)
_Result = TypeVar("_Result")


class JoinedStreams:
    """The streams of one server: they log where it logs, and end when it drains."""

    def __init__(self, log: CallLog) -> None:
        self.log = log
        self.idle = IdleStreams()
        self.is_draining = False
        self._open: set[JoinedAnswers[Any, Any]] = set()
        self._has_left = asyncio.Event()

    def enter(self, stream: "JoinedAnswers[Any, Any]") -> None:
        """Takes a stream that begins; one that comes while the server drains has its calls refused."""
        self._open.add(stream)
        if self.is_draining:
            stream.end()

    def leave(self, stream: "JoinedAnswers[Any, Any]") -> None:
        """Takes note that a stream has ended."""
        self._open.discard(stream)
        self.idle.discard(stream)
        self._has_left.set()

    async def drain(self, *, within_seconds: float) -> None:
        """Ends every stream once all of its calls have ended and been read, and returns when all have.

        Streams that begin meanwhile have nothing to read: callers that come again and again hold nothing up.
        """
        self.is_draining = True
        open_before = tuple(self._open)
        for stream in open_before:
            stream.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                while not self._open.isdisjoint(open_before):
                    self._has_left.clear()
                    await self._has_left.wait()


class JoinedAnswers(Generic[_Request, _Response]):
    """One stream of many calls, from its first request until it ends; made anew for each stream.

    `outgoing` takes what is to be sent now, as one message, or returns None. What calls say while a message
    is being written goes into the next one, and with a `spacing` what they say until that may leave. A caller
    that does not read so costs memory, and only that of the answers it asked for; nobody else waits.
    """

    def __init__(
        self,
        streams: JoinedStreams,
        method: str,
        *,
        outgoing: Callable[[], _Response | None],
        max_calls: int = MAX_CALLS,
        spacing: MessageSpacing | None = None,
    ) -> None:
        self._streams = streams
        self._method = method
        self._outgoing = outgoing
        self._max_calls = max_calls
        self._spacing = spacing or MessageSpacing()
        self._has_outgoing = False
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._limits = TimeLimits(self.cancel)
        self._is_ending = False
        self._changed = asyncio.Event()
        self._written_seconds = 0.0

    def wake(self) -> None:
        """Says that `outgoing` has something."""
        self._has_outgoing = True
        self._changed.set()

    def end(self) -> None:
        """Ends the stream once all of its calls have ended, as a server does that drains."""
        self._is_ending = True
        self._changed.set()

    def start(
        self,
        number: int,
        work: Callable[[], Coroutine[Any, Any, None]],
        failed: Callable[[ComptoirError], None],
        *,
        request_id: Identity | None = None,
        timeout_milliseconds: int = 0,
    ) -> None:
        """Begins a call; `failed` is told once how it failed, and nothing where the caller cancelled it.

        After its time-out, where that is not 0, it is cancelled and fails as DEADLINE_EXCEEDED.
        A number that is in use, and a call above the stream's bound, are refused.
        """

        def begin() -> "asyncio.Task[None]":
            return asyncio.create_task(work())

        if self._begin(number, begin, _nothing, failed, (request_id or Identity.random()).hex):
            self._limits.begin(number, timeout_milliseconds)

    def follow(
        self,
        number: int,
        begin: Callable[[], "asyncio.Future[_Result]"],
        succeeded: Callable[[_Result], None],
        failed: Callable[[ComptoirError], None],
    ) -> None:
        """Begins a call that needs no task: `begin` does its work and returns the future of its result.

        What `begin` raises has failed it. Its lines have the request id of the stream.
        """
        self._begin(number, begin, succeeded, failed, "")

    def _begin(
        self,
        number: int,
        begin: Callable[[], "asyncio.Future[_Result]"],
        succeeded: Callable[[_Result], None],
        failed: Callable[[ComptoirError], None],
        request_id: str,
    ) -> bool:
        if refusal := self._refusal(number):
            failed(refusal)
            return False
        record = self._streams.log.start(self._method, request_id)
        self._streams.idle.discard(self)
        # The call's own lines have its request id, and so has the line of its end.
        context = contextvars.copy_context() if request_id else None
        if context is not None:
            context.run(record.bind)
        try:
            work = begin() if context is None else context.run(begin)
        except Exception as error:  # noqa: BLE001 - as of a task: the record logs what nobody foresaw
            if (told := record.end(error)) is not None:
                failed(told)
            return False
        self._calls[number] = work
        # Not in the task itself: one that is cancelled before its first step runs none of its lines.
        work.add_done_callback(partial(self._ended, number, record, succeeded, failed), context=context)
        return True

    def _refusal(self, number: int) -> ComptoirError | None:
        if number in self._calls:
            return ComptoirError(Reason.REQUEST_INVALID, field="call_number")
        if self._is_ending:
            return ComptoirError(Reason.UNAVAILABLE)
        if len(self._calls) >= self._max_calls:
            return ComptoirError(Reason.REPLICA_OVERLOADED)
        return None

    def cancel(self, number: int) -> None:
        """Ends a call whose caller went; harmless for one that has ended."""
        if (work := self._calls.get(number)) is not None:
            work.cancel()

    async def serve(
        self,
        requests: AsyncIterator[_Request],
        receive: Callable[[_Request], None],
        write: Callable[[_Response], Awaitable[None]],
    ) -> None:
        """Returns once the caller sends no more, or the server drains, and every call has ended.

        Cancelled, or with a stream that broke, it cancels every call and waits for their ends.
        """
        reading = asyncio.create_task(self._read(requests, receive))
        self._streams.enter(self)
        try:
            while not (self._is_ending and not self._calls):
                await self._change()
                await self._send(write)
            if self._streams.is_draining:
                await self._let_read(reading, write)
            reading.cancel()
            await self._settle(reading)
        finally:
            await self._cancel_all(reading)
            self._streams.leave(self)

    async def _send(self, write: Callable[[_Response], Awaitable[None]]) -> None:
        while True:
            # What did not fit into the last message is not said anew, and waits for nothing.
            if self._has_outgoing:
                await self._spacing.turn()
                self._has_outgoing = False
            if (message := self._outgoing()) is None:
                return
            self._spacing.note_leaving()
            await write(message)
            self._written_seconds = asyncio.get_running_loop().time()

    async def _let_read(
        self, reading: "asyncio.Task[None]", write: Callable[[_Response], Awaitable[None]]
    ) -> None:
        """Refuses what comes until the caller had time to read what was written, or sends no more.

        A write on a stream that has ended fails the stream at its caller, with all that is unread there.
        """
        loop = asyncio.get_running_loop()
        until_seconds = self._written_seconds + _READ_SECONDS
        while not reading.done() and (left_seconds := until_seconds - loop.time()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left_seconds)
            self._changed.clear()
            await self._send(write)

    async def _change(self) -> None:
        """Waits for something to do; a stream without a call waits in a place that others may need."""
        if not self._calls:
            self._streams.idle.add(self)
        await self._changed.wait()
        self._streams.idle.discard(self)
        self._changed.clear()

    async def _read(self, requests: AsyncIterator[_Request], receive: Callable[[_Request], None]) -> None:
        try:
            async for request in requests:
                receive(request)
        finally:
            self.end()

    def _ended(
        self,
        number: int,
        record: CallRecord,
        succeeded: Callable[[_Result], None],
        failed: Callable[[ComptoirError], None],
        work: "asyncio.Future[_Result]",
    ) -> None:
        failure: BaseException | None = None
        # A task that has failed keeps the frames of its failure until somebody takes its result.
        try:
            result = work.result()
        except BaseException as error:  # noqa: BLE001 - its cancellation too: the record tells them apart
            failure = error
        failure = self._limits.failure(number, failure)
        told = record.end(failure)
        del self._calls[number]
        if told is not None:
            failed(told)
        elif failure is None:
            succeeded(result)
        self._changed.set()

    async def _settle(self, reading: "asyncio.Task[None]") -> None:
        await asyncio.wait([reading])
        if not reading.cancelled() and (error := reading.exception()) is not None:
            raise error

    async def _cancel_all(self, reading: "asyncio.Task[None]") -> None:
        works = [reading, *self._calls.values()]
        for work in works:
            work.cancel()
        await asyncio.wait(works)


def _nothing(_: None) -> None:
    """A call with a task has said itself what it had to say."""
