"""One HTTP/1.1 connection that asks one thing after another and looks at no more than it must."""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import cast

_TEXT = re.compile(rb'"content": ?"[^"]')
# As long as a match of the above can reach back into what came before.
_OVERLAP = 16
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, a body as it came (with its chunks' sizes), and when its first text and its end came."""

    status: int
    body: bytes
    first: float | None
    ended: float


class Connection(asyncio.Protocol):
    """Finds the first text and the end of each answer in the bytes, without taking events apart."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Reply] | None = None
        self._start()

    def _start(self) -> None:
        self._received = bytearray()
        self._body_start = 0
        self._length: int | None = None
        self._searched = 0
        self._first: float | None = None

    @property
    def is_open(self) -> bool:
        """True until either side closed it."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        # uvloop's transports have the methods and not the class.
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Fails the answer that is under way."""
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError("closed in the middle of an answer"))

    def ask(self, request: bytes) -> asyncio.Future[Reply]:
        """Sends a request; the future is done with the end of its answer."""
        if self._transport is None:
            raise ConnectionResetError("closed before a request")
        self._start()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiting

    def close(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Looks for the first text until it is there, and then only for the end."""
        self._received += data
        if self._body_start == 0 and not self._has_head():
            return
        if self._first is None:
            if _TEXT.search(self._received, max(self._body_start, self._searched)):
                self._first = time.monotonic()
            self._searched = len(self._received) - _OVERLAP
        if self._is_whole() and self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._reply())

    def _has_head(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._body_start = end + 4
        length = _LENGTH.search(self._received, 0, end)
        self._length = None if length is None else int(length.group(1))
        return True

    def _is_whole(self) -> bool:
        if self._length is not None:
            return len(self._received) >= self._body_start + self._length
        # Two bytes back: the sizes of an empty body's chunks follow the head's own line end.
        return self._received.endswith(_LAST_CHUNK, self._body_start - 2)

    def _reply(self) -> Reply:
        status = int(self._received[9:12])
        return Reply(status, bytes(self._received[self._body_start :]), self._first, time.monotonic())
