"""One request on its connection, as the application sees it: ASGI's receive and send."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from services.runtime.http.answers import AnswerWriter
from services.runtime.http.asgi import ABORT, WATCH, WRITE_PART, Message, Scope
from services.runtime.http.head import Head

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
# More of a body is not taken from the socket before the application asks for it.
HIGH_WATER_BYTES: Final = 64 * 1024


class Channel(Protocol):
    """The connection, as a cycle needs it."""

    is_write_paused: bool

    def write(self, data: bytes) -> None:
        """Sends, or queues where the client does not read."""
        ...

    async def wait_writable(self) -> None:
        """Waits until the client has read enough, or left."""
        ...

    def body_taken(self) -> None:
        """Takes note that the application took what there was of the body."""
        ...

    def answered(self) -> None:
        """Takes note that the last byte of the answer was written."""
        ...

    def abort(self) -> None:
        """Ends the connection at once."""
        ...

    def date(self) -> bytes:
        """Returns the date of an answer."""
        ...


class Cycle:
    """From a head to the last byte of its answer."""

    def __init__(self, channel: Channel, head: Head, peers: "Peers", *, is_body_complete: bool) -> None:
        self._channel = channel
        self._writer = AnswerWriter(head)
        self.scope = _scope(head, peers)
        self.scope["state"] = {ABORT: channel.abort, WRITE_PART: self._write_part, WATCH: self._watch}
        self.is_disconnected = False
        self.is_started = False
        self.is_answered = False
        self.is_body_complete = is_body_complete
        self._is_body_delivered = False
        self._expects_continue = head.expects_continue and not is_body_complete
        self._body = bytearray()
        # Leaves with the first part of the body, as ASGI has it: one write costs less than two.
        self._head = b""
        # Made for an application that waits: most bodies come with their heads.
        self._change: asyncio.Event | None = None
        self._left: Callable[[], None] | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much of the body the application has not taken."""
        return len(self._body)

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may follow on the connection."""
        return self._writer.keeps_alive and self.is_body_complete

    def feed(self, data: bytes, *, is_complete: bool) -> None:
        """Takes a part of the body from the connection."""
        if not self.is_answered:
            self._body += data
        self.is_body_complete = is_complete
        self._wake()

    def disconnect(self) -> None:
        """Takes note that the client is gone: reading says so, and what is written goes nowhere."""
        self.is_disconnected = True
        self._wake()
        if self._left is not None and not self.is_answered:
            left, self._left = self._left, None
            left()

    def close_after(self) -> None:
        """Lets no other request follow on the connection."""
        self._writer.keeps_alive = False

    async def receive(self) -> Message:
        """Returns the next part of the body, then the end of the exchange."""
        if self._expects_continue and not self.is_started and not self.is_disconnected:
            self._expects_continue = False
            self._channel.write(_CONTINUE)
        while not self._has_news():
            self._change = self._change or asyncio.Event()
            self._change.clear()
            await self._change.wait()
        if self.is_disconnected or self.is_answered:
            return {"type": "http.disconnect"}
        body = bytes(self._body)
        self._body.clear()
        self._is_body_delivered = self.is_body_complete
        self._channel.body_taken()
        return {"type": "http.request", "body": body, "more_body": not self.is_body_complete}

    async def send(self, message: Message) -> None:
        """Sends the head or a part of the body; waits while the client does not read."""
        if self._channel.is_write_paused and not self.is_disconnected:
            await self._channel.wait_writable()
        if self.is_disconnected:
            return
        if message["type"] == "http.response.start":
            self._begin(message)
        else:
            self._continue(message)

    def _write_part(self, made: Callable[[], bytes]) -> bool:
        is_open = self.is_started and not self.is_answered and not self.is_disconnected
        if not is_open or self._channel.is_write_paused:
            return False
        if data := self._writer.part(made(), is_last=False):
            self._channel.write(data)
        return True

    def _begin(self, message: Message) -> None:
        if not self.is_body_complete:
            # Where its body ends is not known yet, so nothing may follow it.
            self._writer.keeps_alive = False
        fields = message.get("headers", ())
        self._head = self._writer.begin(message["status"], fields, date=self._channel.date())

    def _continue(self, message: Message) -> None:
        if not (self.is_started or self._head) or self.is_answered:
            raise ValueError("an answer has one head, and one body behind it")
        is_last = not message.get("more_body", False)
        data = self._head + self._writer.part(message.get("body", b""), is_last=is_last)
        self.is_started, self._head = True, b""
        if data:
            self._channel.write(data)
        if is_last:
            self.is_answered = True
            self._wake()
            self._channel.answered()

    def _watch(self, left: Callable[[], None] | None) -> None:
        if left is not None and self.is_disconnected:
            asyncio.get_running_loop().call_soon(left)
        else:
            self._left = left

    def _wake(self) -> None:
        if self._change is not None:
            self._change.set()

    def _has_news(self) -> bool:
        if self.is_disconnected or self.is_answered or self._body:
            return True
        return self.is_body_complete and not self._is_body_delivered


class Peers:
    """Both ends of a connection, as a scope names them."""

    def __init__(self, client: object, server: object, *, is_tls: bool) -> None:
        self.client = client[:2] if isinstance(client, tuple) else None
        self.server = server[:2] if isinstance(server, tuple) else None
        self.scheme = "https" if is_tls else "http"


def _scope(head: Head, peers: Peers) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.http_version,
        "server": peers.server,
        "client": peers.client,
        "scheme": peers.scheme,
        "root_path": "",
        "method": head.method,
        "path": head.path,
        "raw_path": head.raw_path,
        "query_string": head.query,
        "headers": head.fields,
    }
