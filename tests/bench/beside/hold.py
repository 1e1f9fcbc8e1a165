"""The process that holds idle streams: it opens them, reads what comes, and keeps nothing of it.

Started by the benchmark, which gives it orders on its standard input.
"""

import asyncio
from collections import Counter
from typing import Any, cast

import uvloop

from tests.bench.beside.chat import Endpoint
from tests.bench.beside.closed_loop import PROMPTS
from tests.bench.beside.worker import orders, say

# A connection is asked for every so often, so that opening many is no load test of its own.
_BETWEEN_SECONDS = 0.01
_AFTER_A_REFUSAL_SECONDS = 1.0
_HEALTH = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


class Held(asyncio.Protocol):
    """One stream: it has begun with its first bytes, whose status it keeps, and is lost with its end."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport | None = None
        self.begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks at once."""
        # uvloop's transports have the methods and not the class.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Looks at the status and forgets the rest."""
        if not self.begun.done():
            self.begun.set_result(data[9:12].decode("ascii", "replace"))

    def connection_lost(self, error: Exception | None) -> None:
        """Notes that it did not last."""
        self.is_lost = True
        if not self.begun.done():
            self.begun.set_result("closed")

    def close(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()


class Holder:
    """Many streams to one endpoint, or connections without one; one that is refused is asked for again."""

    def __init__(self, endpoint: Endpoint, max_tokens: int | None) -> None:
        self._port = endpoint.port
        self._request = _HEALTH if max_tokens is None else endpoint.request(PROMPTS[0], max_tokens)
        self._turn = asyncio.Lock()
        self._held: list[Held] = []
        self._refusals: Counter[str] = Counter()

    async def hold(self, streams: int, begin_seconds: float) -> None:
        """Opens them, and tells how many have begun, which were refused first and how many are lost again."""
        openings = [asyncio.create_task(self._open_one()) for _ in range(streams)]
        _, late = await asyncio.wait(openings, timeout=begin_seconds)
        for opening in late:
            opening.cancel()
        lost = sum(held.is_lost for held in self._held)
        say("held", begun=len(self._held), lost=lost, refusals=dict(self._refusals))

    async def _open_one(self) -> None:
        while True:
            async with self._turn:
                await asyncio.sleep(_BETWEEN_SECONDS)
            loop = asyncio.get_running_loop()
            _, held = await loop.create_connection(lambda: Held(self._request), "127.0.0.1", self._port)
            try:
                status = await held.begun
            except asyncio.CancelledError:
                held.close()
                raise
            if status == "200":
                self._held.append(held)
                return
            self._refusals[status] += 1
            held.close()
            await asyncio.sleep(_AFTER_A_REFUSAL_SECONDS)

    def close(self) -> None:
        """Closes them all."""
        for held in self._held:
            held.close()


async def main() -> None:
    """Holds what each order says until the next one."""
    say("ready")
    holder: Holder | None = None
    async for order in orders():
        if holder is not None:
            holder.close()
        holder = await _obey(order)


async def _obey(order: dict[str, Any]) -> Holder:
    holder = Holder(Endpoint(**order["endpoint"]), order["max_tokens"])
    await holder.hold(order["streams"], order["begin_seconds"])
    return holder


if __name__ == "__main__":
    uvloop.run(main())
