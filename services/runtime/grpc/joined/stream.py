"""The caller's side of joined calls: one stream to one process, opened when there is something to send."""

import asyncio
import contextvars
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from services.kernel.errors import ComptoirError, Reason
from services.runtime.grpc.joined.message_spacing import MessageSpacing
from services.runtime.grpc.status import error_from
from services.runtime.logs import get_logger, log_failure

_Sent_co = TypeVar("_Sent_co", bound=Message, covariant=True)
_Received_contra = TypeVar("_Received_contra", bound=Message, contravariant=True)
_Stream: TypeAlias = "grpc.aio.StreamStreamCall[Any, Any]"

_log = get_logger(__name__)


class Calls(Protocol[_Sent_co, _Received_contra]):
    """The calls that share a stream, as the adapter keeps them; nothing here waits."""

    def outgoing(self) -> _Sent_co | None:
        """Takes what is to be sent now, as one message; None where there is nothing."""
        ...

    def incoming(self, message: _Received_contra) -> None:
        """Hands each call what a message has for it."""
        ...

    def broken(self, error: ComptoirError) -> None:
        """Fails every call that is open: the stream ended, and nothing more will come."""
        ...


class JoinedStream:
    """One bidirectional stream for many calls.

    What comes up while a message is being written goes into the next one: the busier the stream, the fewer
    messages per call. With a `spacing`, so does what comes up until the next may leave. A stream that ended
    is opened anew by the next `wake`.
    """

    def __init__(
        self,
        method: "grpc.aio.StreamStreamMultiCallable[Any, Any]",
        calls: Calls[Any, Any],
        spacing: MessageSpacing | None = None,
    ) -> None:
        self._method = method
        self._calls = calls
        self._spacing = spacing or MessageSpacing()
        self._has_outgoing = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a stream, or one is being opened."""
        return self._running is not None

    def wake(self) -> None:
        """Says that `outgoing` has something; call it inside the running loop."""
        self._has_outgoing.set()
        if self._running is None:
            # Not in the context of the call that happens to be the first: its log lines are those of all.
            self._running = asyncio.create_task(self._run(), context=contextvars.Context())

    async def close(self) -> None:
        """Ends the stream; calls that are open fail."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        stream: _Stream | None = None
        failure = ComptoirError(Reason.UNAVAILABLE)
        try:
            stream = self._method()
            failure = await self._exchange(stream)
        except grpc.aio.UsageError:
            # The channel is closed: this process drains, and the call came behind that.
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, no call may wait for ever
            log_failure(_log, "joined_stream_failed", error)
            failure = ComptoirError(Reason.INTERNAL)
        finally:
            if stream is not None:
                stream.cancel()
            self._running = None
            self._has_outgoing.clear()
            self._calls.broken(failure)

    async def _exchange(self, stream: _Stream) -> ComptoirError:
        """Writes and reads until the stream ends; returns why it did."""
        writing = asyncio.create_task(self._write(stream))
        try:
            while (message := await stream.read()) is not grpc.aio.EOF:
                self._calls.incoming(message)
        except grpc.aio.AioRpcError as failure:
            return error_from(failure)
        finally:
            writing.cancel()
            await asyncio.wait([writing])
        # The other side drains: those that are open were not taken.
        return ComptoirError(Reason.UNAVAILABLE)

    async def _write(self, stream: _Stream) -> None:
        try:
            while True:
                await self._has_outgoing.wait()
                await self._spacing.turn()
                self._has_outgoing.clear()
                # One that is woken meanwhile has its turn; what did not fit into a message waits for none.
                while not self._has_outgoing.is_set() and (message := self._calls.outgoing()) is not None:
                    self._spacing.note_leaving()
                    await stream.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The stream has ended: the reader has why.
            return
        except Exception as error:  # noqa: BLE001 - a defect of ours must not leave the callers waiting
            log_failure(_log, "joined_stream_failed", error)
            stream.cancel()
