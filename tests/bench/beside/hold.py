"""The process that holds idle streams: it opens them, reads what comes, and keeps nothing of it.

Started by the benchmark, which gives it orders on its standard input.
"""

import asyncio
from typing import Any, cast

import uvloop

from tests.bench.beside.chat import Endpoint
from tests.bench.beside.closed_loop import PROMPTS
from tests.bench.beside.worker import orders, say

_TOGETHER = 64
_CONNECT_SECONDS = 60.0


class Held(asyncio.Protocol):
    """One stream: it has begun with its first bytes, and has failed where they are no 200 or it ended."""

    def __init__(self, request: bytes, counts: "Counts") -> None:
        self._request = request
        self._counts = counts
        self._has_begun = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks at once."""
        # uvloop's transports have the methods and not the class.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Looks at the status line and forgets the rest."""
        if not self._has_begun:
            self._has_begun = True
            self._counts.begin(is_good=data[9:12] == b"200")

    def connection_lost(self, error: Exception | None) -> None:
        """Counts a stream that did not last."""
        self._counts.end()

    def close(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()


class Counts:
    """How many streams have begun, were refused and have ended."""

    def __init__(self, wanted: int) -> None:
        self._left = wanted
        self.refused = 0
        self.ended = 0
        self.all_begun = asyncio.Event()

    def begin(self, *, is_good: bool) -> None:
        """One more stream has its first bytes."""
        self.refused += not is_good
        self._left -= 1
        if self._left == 0:
            self.all_begun.set()

    def end(self) -> None:
        """One more stream is gone."""
        self.ended += 1


async def hold(endpoint: Endpoint, streams: int, max_tokens: int, begin_seconds: float) -> list[Held]:
    """Opens the streams, waits until all have begun, and tells how many were refused or have ended."""
    counts = Counts(streams)
    request = endpoint.request(PROMPTS[0], max_tokens)
    loop = asyncio.get_running_loop()
    places = asyncio.Semaphore(_TOGETHER)

    async def open_one() -> Held:
        async with places, asyncio.timeout(_CONNECT_SECONDS):
            _, held = await loop.create_connection(lambda: Held(request, counts), "127.0.0.1", endpoint.port)
            return held

    all_held = await asyncio.gather(*(open_one() for _ in range(streams)))
    try:
        async with asyncio.timeout(begin_seconds):
            await counts.all_begun.wait()
    except TimeoutError:
        say("failed", why=f"some of {streams} streams had not begun after {begin_seconds:.0f} s")
        return all_held
    say("held", refused=counts.refused, ended=counts.ended)
    return all_held


async def main() -> None:
    """Holds what each order says until the next one."""
    say("ready")
    all_held: list[Held] = []
    async for order in orders():
        for held in all_held:
            held.close()
        all_held = await _obey(order)


async def _obey(order: dict[str, Any]) -> list[Held]:
    return await hold(
        Endpoint(**order["endpoint"]), order["streams"], order["max_tokens"], order["begin_seconds"]
    )


if __name__ == "__main__":
    uvloop.run(main())
