"""Any bytes on a connection of the server: the same answers however they are cut, and in none of their words.

No socket is opened: the connection is given its bytes, and what it writes is kept.
"""

import asyncio
import atexit
import functools
import hashlib
import re
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from services.edge.domain.limits import EdgeLimits
from services.edge.server.http.listener import _bounds, _refusals
from services.kernel.clock import ManualClock
from services.runtime.http.asgi import Receive, Scope, Send
from services.runtime.http.bounds import Refusal, RefusalAnswer
from services.runtime.http.connection import Connection
from services.runtime.http.registry import Registry
from tests.fuzz.bytes_source import BytesSource
from tests.fuzz.leaks import check_no_leak
from tests.fuzz.slowness import MOST_SECONDS, TooSlowError, timed

WORDS: Final = (
    *("GET / HTTP/1.1\r\n", "POST ", " HTTP/1.0\r\n", "\r\n\r\n", "\n\n", "host: ", "0\r\n\r\n", ";a=b"),
    *("content-length: ", "transfer-encoding: chunked", "expect: 100-continue", "connection: close"),
    *("connection: keep-alive", "connection: upgrade", "upgrade: h2c", "ffffffff\r\n", "%00", "?a#b"),
)
_BOUNDS: Final = _bounds(EdgeLimits())
_REFUSALS: Final = _refusals(EdgeLimits())
_CONTROLS: Final = frozenset({*range(9), 11, 12, *range(14, 32)})
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.1 (?=[0-9]{3} [A-Z])")
_MAX_CUTS: Final = 8
# Turns of the loop in which nothing happens, after which nothing will.
_QUIET_TURNS: Final = 4
_TRIES: Final = 3


class Transport(asyncio.Transport):
    """Keeps what is written, and what the connection has asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.wants_more = True
        self._is_closing = False

    def write(self, data: Any) -> None:  # bytes of any kind
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        # What is written has been sent.
        return 0

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    def abort(self) -> None:
        self._is_closing = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def pause_reading(self) -> None:
        self.wants_more = False

    def resume_reading(self) -> None:
        self.wants_more = True


class Application:
    """Answers with a digest of all that it was asked."""

    def __init__(self) -> None:
        self.requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        digest = hashlib.sha256(repr([scope[key] for key in ("method", "path", "query_string")]).encode())
        digest.update(repr(scope["headers"]).encode())
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            digest.update(message["body"])
            more = message["more_body"]
        self.requests += 1
        body = digest.hexdigest().encode()
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


def check(data: bytes) -> None:
    """Raises where a property does not hold for `data`."""
    source = BytesSource(data)
    patience = source.number(_QUIET_TURNS)
    places = [source.number(2**16) for _ in range(source.number(_MAX_CUTS + 1))]
    sent = source.rest()
    whole = _answers([sent], patience)
    assert whole == _answers(list(_cut(sent, places)), patience), "the answers depend on the cuts"
    for answer in _STATUS_LINE.split(whole)[1:]:
        _check_answer(answer, sent)


def _check_answer(answer: bytes, sent: bytes) -> None:
    status, (head, _, body) = answer[:3], answer.partition(b"\r\n\r\n")
    assert status in {b"100", b"200", b"400", b"431", b"505"}, "the server failed"
    assert not _CONTROLS & set(head)
    if status not in {b"100", b"200"}:
        check_no_leak(body, sent)


def _cut(sent: bytes, places: list[int]) -> Iterator[bytes]:
    start = 0
    for end in sorted({place % (len(sent) + 1) for place in places} | {len(sent)}):
        if end > start:
            yield sent[start:end]
        start = end


def _answers(parts: list[bytes], patience: int) -> bytes:
    """Returns all that a connection writes; TooSlowError where one turn of the loop is too long each time."""
    for _ in range(_TRIES):
        longest, written = _loop().run_until_complete(_serve(parts, patience))
        if longest <= MOST_SECONDS:
            return written
    raise TooSlowError(f"{longest:.3f} s of CPU in one turn of the loop")


async def _serve(parts: list[bytes], patience: int) -> tuple[float, bytes]:
    """Returns the CPU seconds of the longest turn, and what was written; parts come after quiet turns."""
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    application, transport, waiting = Application(), Transport(), list(parts)
    registry = Registry(application, _BOUNDS, _refuse, ManualClock())
    connection = Connection(registry)
    connection.connection_made(transport)
    longest, quiet = 0.0, 0
    while quiet < _QUIET_TURNS:
        before = (len(transport.written), application.requests, len(connection._buffer))
        if waiting and quiet >= patience and transport.wants_more and not transport.is_closing():
            longest = max(longest, timed(partial(connection.data_received, waiting.pop(0)))[0])
            quiet = 0
        longest = max(longest, await _turn())
        after = (len(transport.written), application.requests, len(connection._buffer))
        quiet = quiet + 1 if before == after else 0
    connection.connection_lost(None)
    for _ in range(_QUIET_TURNS):
        await asyncio.sleep(0)
    assert not registry._tasks, "a request outlives its connection"
    assert not failures, "an exception left a callback"
    return longest, b"".join(transport.written)


async def _turn() -> float:
    started = time.thread_time()
    await asyncio.sleep(0)
    return time.thread_time() - started


def _refuse(refusal: Refusal) -> RefusalAnswer:
    """The edge's refusals without the id of the request, which is another each time."""
    answer = _REFUSALS(refusal)
    return RefusalAnswer(answer.status, answer.headers[:1] + answer.headers[2:], answer.body)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    # One for all inputs: a loop of its own for each would cost more than the connection.
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop
