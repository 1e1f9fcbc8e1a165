"""One HTTP request and its answer, with everything that is counted of them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from services.edge.domain.openai.errors import (
    PublicError,
    error_headers,
    error_json,
    public_error,
    public_json,
)
from services.edge.domain.openai.streams import failed_stream
from services.edge.domain.timeline import EdgeRequest
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.key_regions import KeyRegions
from services.runtime.http.asgi import ABORT, WATCH, WRITE_PART, Message, Receive, Scope, Send

HeaderList = Sequence[tuple[bytes, bytes]]

JSON_TYPE: Final = (b"content-type", b"application/json")
STREAM_HEADERS: HeaderList = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_DISCONNECTED_STATUS: Final = 499
_MAX_RETRY_COUNT: Final = 255
# What is waited for at once: a client that takes in a piece of a large answer is one that reads.
_PIECE_BYTES: Final = 64 * 1024


class ClientDisconnectedError(Exception):
    """The client closed its connection before the answer was whole."""


class HttpRefusalError(Exception):
    """A refusal that only HTTP knows, such as a method that a path does not take."""

    def __init__(self, public: PublicError, reason: Reason, headers: HeaderList = ()) -> None:
        super().__init__(public.code)
        self.public = public
        self.reason = reason
        self.headers = headers


class Exchange:
    """One request of one client; created by the boundary, used by one endpoint."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, clock: Clock) -> None:
        self.scope = scope
        self.receive = receive
        self.event = EdgeRequest(
            request_id=Identity.random(),
            started_at_microseconds=clock.wall_microseconds(),
            received_seconds=clock.monotonic_seconds(),
            http_method=str(scope.get("method", "")),
        )
        self.clock = clock
        # Which keys are answered here; None leaves it to the router.
        self.key_regions: KeyRegions | None = None
        self._added_headers: list[tuple[bytes, bytes]] = []
        # Set before the last byte is written: some clients close as soon as they have it.
        self.is_complete = False
        # Set before a part is written of what is one piece to its client, such as the last event of a stream.
        self.is_within_piece = False
        # Whether an answer was given up that is counted: a client that tried again by itself would pay again.
        self.is_answer_lost = False
        self.is_client_disconnected = False
        self.written_seconds = 0.0
        # Since when a write waits for the client to read; 0 where none does.
        self.waiting_since_seconds = 0.0
        # Writes the error of a stream that fails, as its endpoint's clients read it.
        self.write_failure: Callable[[bytes], bytes] = failed_stream
        self._is_started = False
        self._send = send
        self._loop = asyncio.get_running_loop()
        self.event.client_retry_count = self._retry_count()
        self._shown_request_id = self._take_request_id()

    def header_values(self, name: bytes) -> list[bytes]:
        """Returns all values of one header, given in lower case."""
        return [value for key, value in self.scope["headers"] if key == name]

    @property
    def is_started(self) -> bool:
        """Whether the status is sent: a failure is told within the stream from then on."""
        return self._is_started

    def add_headers(self, headers: HeaderList) -> None:
        """Adds to the headers of the answer, whatever it will be."""
        self._added_headers += headers

    async def begin(self, status: int, headers: HeaderList) -> None:
        """Sends the status and the headers."""
        self._is_started = True
        self.event.http_status = status
        request_id = (b"x-request-id", self._shown_request_id)
        await self._put(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers, *self._added_headers, request_id],
            }
        )

    async def write(self, body: bytes) -> None:
        """Sends a part of the body in one write; waits while the client does not read."""
        self.event.response_bytes += len(body)
        self.written_seconds = self._loop.time()
        await self._put({"type": "http.response.body", "body": body, "more_body": True})

    def try_write(self, made: Callable[[], bytes]) -> bool:
        """Sends a part of the body at once; false, and it is not made, where the client does not read."""

        def counted() -> bytes:
            body = made()
            self.event.response_bytes += len(body)
            return body

        if not self.scope["state"][WRITE_PART](counted):
            return False
        self.written_seconds = self._loop.time()
        return True

    async def end(self, body: bytes = b"") -> None:
        """Sends the last part of the body; a large one in pieces, as the client reads them."""
        if len(body) > _PIECE_BYTES:
            body = await self._write_most(body)
        self.is_complete = True
        self.event.response_bytes += len(body)
        await self._put({"type": "http.response.body", "body": body, "more_body": False})

    async def answer(self, status: int, body: bytes, headers: HeaderList = ()) -> None:
        """Sends a whole JSON answer."""
        await self.begin(status, [JSON_TYPE, (b"content-length", b"%d" % len(body)), *headers])
        await self.end(body)

    async def answer_empty(self, headers: HeaderList) -> None:
        """Sends an answer that is its headers alone."""
        await self.begin(204, headers)
        await self.end()

    async def fail(self, error: ComptoirError) -> None:
        """Answers with an error: a status where none was sent, an event within the stream otherwise."""
        self.event.reason = error.reason
        self.event.transfer_record = self.event.transfer_record or error.transfer_record
        self.event.home_region = self.event.home_region or error.home_region
        if self._is_started:
            # Within a whole answer, or an event, is no room for an error: its connection is closed instead.
            if self.event.is_streamed and not (self.is_complete or self.is_within_piece):
                await self.end(self.write_failure(error_json(error, self.event.endpoint)))
            return
        is_spent = self.is_answer_lost or self.event.attempts > 1
        headers = error_headers(error, is_spent=is_spent)
        await self.answer(public_error(error.reason).status, error_json(error, self.event.endpoint), headers)

    async def refuse(self, refusal: HttpRefusalError) -> None:
        """Answers with a refusal that only HTTP knows."""
        self.event.reason = refusal.reason
        await self.answer(refusal.public.status, public_json(refusal.public), refusal.headers)

    def note_disconnect(self) -> None:
        """Counts the request as one whose client disconnected before the answer was whole."""
        self.event.is_client_cancelled = True
        self.event.reason = Reason.CLIENT_CANCELLED
        self.event.http_status = self.event.http_status or _DISCONNECTED_STATUS

    def watch(self, left: Callable[[], None] | None) -> None:
        """Has `left` called if the client leaves before the answer is whole; None ends that."""
        self.scope["state"][WATCH](left)

    def abandon(self) -> None:
        """Closes the connection at once, with what its client has not read; every write returns then."""
        self.is_client_disconnected = True
        self.scope["state"][ABORT]()

    async def _write_most(self, body: bytes) -> bytes:
        """Sends all pieces of `body` but the last, which is returned."""
        last = (len(body) - 1) // _PIECE_BYTES * _PIECE_BYTES
        for start in range(0, last, _PIECE_BYTES):
            await self.write(body[start : start + _PIECE_BYTES])
            # A client that reads fast does not make others wait.
            await asyncio.sleep(0)
        return body[last:]

    async def _put(self, message: Message) -> None:
        # Left set on cancellation on purpose: the next write is blocked by the same unread bytes.
        self.waiting_since_seconds = self.waiting_since_seconds or self._loop.time()
        await self._send(message)
        self.waiting_since_seconds = 0.0

    def _take_request_id(self) -> bytes:
        """Returns the client's `x-request-id` where it is a UUID, which can be no text; ours otherwise."""
        values = self.header_values(b"x-request-id")
        given = Identity.from_uuid(values[0].decode("latin-1")) if len(values) == 1 else None
        if given is None or not given.is_set:
            return self.event.request_id.hex.encode()
        self.event.client_request_id = given
        return values[0]

    def _retry_count(self) -> int:
        values = self.header_values(b"x-stainless-retry-count")
        if len(values) == 1 and values[0].isdigit() and len(values[0]) <= 3:  # noqa: PLR2004 - up to 255
            return min(int(values[0]), _MAX_RETRY_COUNT)
        return 0
