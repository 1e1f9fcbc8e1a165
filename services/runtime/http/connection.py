"""One connection: one request at a time, each part of it within its bound of bytes and time."""

import asyncio
import socket
from typing import Final

from services.runtime.http.answers import AnswerWriter
from services.runtime.http.bodies import Body, ChunkedBody, LengthBody
from services.runtime.http.bounds import Refusal, RefusedError
from services.runtime.http.cycle import HIGH_WATER_BYTES, Cycle, Peers
from services.runtime.http.flush import Flush
from services.runtime.http.head import Head, end_of_head, parse_head
from services.runtime.http.registry import Registry

# A client that is still sending when it is refused reads the answer only if its bytes are taken.
_MAX_DISCARDED_BYTES: Final = 8 * 1024 * 1024
_DISCARD_SECONDS: Final = 2.0
# For what was written to a client that does not read; at a drain, for the end of an idle client's session.
_FLUSH_SECONDS, _GOODBYE_SECONDS = 10.0, 1.0


class Connection(asyncio.Protocol):
    """Reads a request, hands it to the application, and reads no other before it is answered."""

    _transport: asyncio.Transport
    _peers: Peers

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._scanned_bytes = 0
        self._cycle: Cycle | None = None
        self._body: Body = LengthBody(0)
        self._timer: asyncio.TimerHandle | None = None
        # Whether the timer that runs is that of a head, which no byte may put off.
        self._is_head_timed = True
        self._is_reading = True
        self._is_draining = False
        # None while requests are read; then, how many bytes were thrown away since.
        self._discarded_bytes: int | None = None
        self.is_write_paused = False
        # Made when a client falls behind, which most never do.
        self._writable: asyncio.Event | None = None
        # While an answer is written and not yet sent.
        self._flush: Flush | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # a stream's
        """Starts the time within which the first request's head must be whole."""
        self._transport = transport
        accepted = transport.get_extra_info("socket")
        if accepted is not None and accepted.family != socket.AF_UNIX:
            # Not every event loop does it, and a delayed small write costs a stream 40 ms.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peers = Peers(
            transport.get_extra_info("peername"),
            transport.get_extra_info("sockname"),
            is_tls=transport.get_extra_info("sslcontext") is not None,
        )
        self._start_timer(self._registry.bounds.head_seconds)
        self._registry.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the request under way that its client is gone."""
        del exc
        self._stop_timer()
        self._client_left()
        self._buffer.clear()
        self._registry.closed(self)

    def eof_received(self) -> bool:
        """Takes the end of what the client sends for its departure; most clients leave like that."""
        self._client_left()
        self.close()
        return False

    def data_received(self, data: bytes) -> None:
        """Takes bytes of the request that is read, and of those behind it up to a bound."""
        if self._discarded_bytes is not None:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _MAX_DISCARDED_BYTES:
                self.close()
            return
        self._buffer += data
        self._advance()

    def pause_writing(self) -> None:
        """Holds the writer of the answer back: the client does not read."""
        self.is_write_paused = True
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """Lets writes go on; where an answer was written, all of it has been sent."""
        self.is_write_paused = False
        self._let_write()
        if self._flush is not None:
            self._stop_timer()
            self._turn_to_next()

    def write(self, data: bytes) -> None:
        """Sends, or queues where the client does not read."""
        self._transport.write(data)

    async def wait_writable(self) -> None:
        """Waits until the client has read enough, or left."""
        if self._writable is not None:
            await self._writable.wait()

    def body_taken(self) -> None:
        """Reads on if the application's backlog was why reading had stopped."""
        self._pace_reading()

    def answered(self) -> None:
        """Ends the connection or turns to the next request, after others had their turn."""
        if self._body.is_complete:
            # Some event loops write at the end of their turn.
            self._loop.call_soon(self._flush_answer)
        else:
            self._discard()

    def date(self) -> bytes:
        """Returns the date of an answer."""
        return self._registry.date()

    def refuse(self, refusal: Refusal) -> None:
        """Answers without the application, where no answer has begun, and ends the connection."""
        is_started = self._cycle is not None and self._cycle.is_started
        self._client_left()
        if is_started:
            self.close()
            return
        answer, writer = self._registry.refuse(refusal), AnswerWriter(None)
        length = (b"content-length", b"%d" % len(answer.body))
        self.write(writer.begin(answer.status, [*answer.headers, length], date=self.date()) + answer.body)
        self._discard()

    def drain(self) -> None:
        """Ends the connection, after the answer under way if there is one."""
        self._is_draining = True
        if self._cycle is None:
            self.close(_FLUSH_SECONDS if self._transport.get_write_buffer_size() else _GOODBYE_SECONDS)
        else:
            self._cycle.close_after()

    def close(self, within_seconds: float = _FLUSH_SECONDS) -> None:
        """Ends the connection once what was written has been sent, within a bound."""
        self._registry.works(self)
        self._discarded_bytes = _MAX_DISCARDED_BYTES
        if not self._transport.is_closing():
            self._start_timer(within_seconds)
            self._transport.close()
        elif self._timer is None:
            self._start_timer(_FLUSH_SECONDS)

    def abort(self) -> None:
        """Ends the connection at once; what was written and not sent is lost."""
        self._client_left()
        self._transport.abort()

    def _advance(self) -> None:
        try:
            if self._cycle is None:
                self._read_head()
            elif not self._body.is_complete:
                self._read_body(self._cycle)
        except RefusedError as error:
            self.refuse(error.refusal)
        self._pace_reading()

    def _read_head(self) -> None:
        buffer, max_bytes = self._buffer, self._registry.bounds.max_head_bytes
        if buffer.startswith((b"\r", b"\n")):
            # Some clients send a line end behind a body. It is no request, and puts nothing off.
            del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n"))]
        if not buffer:
            return
        if not buffer[:1].isupper():
            # No method begins like this: TLS, for one. It is told so before its time is over.
            raise RefusedError(Refusal.MALFORMED)
        if not self._is_head_timed:
            self._is_head_timed = True
            self._start_timer(self._registry.bounds.head_seconds)
        end = end_of_head(buffer, self._scanned_bytes, max_bytes)
        if not end and len(buffer) >= max_bytes:
            raise RefusedError(Refusal.HEAD_TOO_LARGE)
        self._scanned_bytes = 0 if end else len(buffer)
        if end:
            head = bytes(buffer[:end])
            del buffer[:end]
            self._begin(parse_head(head, max_fields=self._registry.bounds.max_header_fields))

    def _begin(self, head: Head) -> None:
        self._stop_timer()
        self._registry.works(self)
        self._body = ChunkedBody() if head.content_length is None else LengthBody(head.content_length)
        self._cycle = Cycle(self, head, self._peers, is_body_complete=self._body.is_complete)
        if self._is_draining:
            self._cycle.close_after()
        if not self._body.is_complete:
            # A head is cheap to send: who does not go on with a body gives way as who sends no head.
            self._registry.waits(self)
            self._read_body(self._cycle)
        self._registry.run(self._cycle, self._application_ended)

    def _read_body(self, cycle: Cycle) -> None:
        data = self._body.take(self._buffer)
        cycle.feed(data, is_complete=self._body.is_complete)
        if self._body.is_complete:
            self._registry.works(self)
        if self._body.has_more_work:
            self._loop.call_soon(self._read_on, cycle)

    def _read_on(self, cycle: Cycle) -> None:
        if cycle is self._cycle and self._discarded_bytes is None:
            self._advance()

    def _flush_answer(self) -> None:
        if self._discarded_bytes is not None or not self._transport.get_write_buffer_size():
            self._turn_to_next()
        else:
            self._flush = Flush(self._transport, self._registry.bounds.write_seconds, self.abort)

    def _turn_to_next(self) -> None:
        cycle, self._cycle = self._cycle, None
        if self._discarded_bytes is not None or self._transport.is_closing():
            return
        if self._is_draining or cycle is None or not cycle.keeps_alive:
            self.close()
            return
        self._is_head_timed = False
        self._start_timer(self._registry.bounds.idle_seconds)
        self._registry.waits(self)
        self._advance()

    def _application_ended(self, cycle: Cycle) -> None:
        if cycle.is_answered or cycle.is_disconnected:
            return
        if cycle.is_started:
            # Its body has no end, and the client sees that.
            cycle.disconnect()
            self.close()
        else:
            self.refuse(Refusal.CRASHED)

    def _client_left(self) -> None:
        if self._cycle is not None:
            self._cycle.disconnect()
        self._let_write()

    def _let_write(self) -> None:
        if self._writable is not None:
            self._writable.set()

    def _discard(self) -> None:
        # Takes what still comes, so that the kernel does not reset the connection before the client
        # has read its answer.
        self._registry.works(self)
        self._discarded_bytes = len(self._buffer)
        self._buffer.clear()
        self._pace_reading()
        self._start_timer(_DISCARD_SECONDS)
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()

    def _pace_reading(self) -> None:
        wants = self._wants_more()
        if wants == self._is_reading or self._transport.is_closing():
            return
        self._is_reading = wants
        if wants:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _wants_more(self) -> bool:
        if self._discarded_bytes is not None or self._cycle is None:
            return True
        if self._body.is_complete:
            # What a client sends ahead. Reading goes on below the bound, for its departure is read.
            return len(self._buffer) <= HIGH_WATER_BYTES
        return not self._body.has_more_work and self._cycle.waiting_bytes <= HIGH_WATER_BYTES

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, self._out_of_time)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flush is not None:
            self._flush.end()
            self._flush = None

    def _out_of_time(self) -> None:
        self._timer = None
        if self._transport.is_closing():
            self._transport.abort()
        else:
            self.close()
