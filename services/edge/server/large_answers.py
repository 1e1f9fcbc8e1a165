"""How many bytes of large answers an edge holds at once, and how these are sent."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Final

from services.edge.server.http.exchange import JSON_TYPE, Exchange, HeaderList
from services.kernel.errors import ComptoirError, Reason

_MEBIBYTE: Final = 1024 * 1024
# What is asked for at once and not read yet, of all keys and of one. None of these answers is larger than the
# 16 MiB of the vectors of one call.
MAX_HELD_BYTES: Final = 256 * _MEBIBYTE
MAX_HELD_BYTES_OF_KEY: Final = 64 * _MEBIBYTE
# An answer up to this size is sent whole, with its length.
_WHOLE_BYTES: Final = 64 * 1024


class LargeAnswers:
    """The answers that an edge holds in memory until their clients have read them.

    A replica settles the lease of such an answer as soon as it has made it, so the quota of the key does not
    bound how many of them wait to be read. A request that finds no place waits before it is admitted.
    """

    def __init__(
        self,
        *,
        wait_seconds: float,
        max_bytes: int = MAX_HELD_BYTES,
        max_bytes_of_key: int = MAX_HELD_BYTES_OF_KEY,
    ) -> None:
        self._wait_seconds = wait_seconds
        self._max_bytes = max_bytes
        self._max_bytes_of_key = max_bytes_of_key
        self._held_bytes = 0
        self._held_bytes_of: Counter[str] = Counter()
        # In the order of their coming; a future is done when its place is taken.
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}

    @asynccontextmanager
    async def place(self, key: str, size_bytes: int) -> AsyncIterator[None]:
        """While entered, holds a place of `size_bytes` for an answer to `key`.

        Raises CONCURRENCY_EXHAUSTED where the key's other answers, and REPLICA_OVERLOADED where all others
        leave none for too long.
        """
        if self._waiting or not self._fits(key, size_bytes):
            await self._wait(key, size_bytes)
        else:
            self._take(key, size_bytes)
        try:
            yield
        finally:
            self._take(key, -size_bytes)
            self._let_in()

    async def _wait(self, key: str, size_bytes: int) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[place] = (key, size_bytes)
        self._let_in()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await place
        except (asyncio.CancelledError, TimeoutError) as error:
            if self._waiting.pop(place, None) is None:
                # It was let in, and left in the same turn of the loop.
                self._take(key, -size_bytes)
            is_by_key = not self._fits_key(key, size_bytes)
            self._let_in()
            if isinstance(error, asyncio.CancelledError):
                raise
            reason = Reason.CONCURRENCY_EXHAUSTED if is_by_key else Reason.REPLICA_OVERLOADED
            raise ComptoirError(reason) from None

    def _let_in(self) -> None:
        for place, (key, size_bytes) in tuple(self._waiting.items()):
            if place.done():
                # Its request ends in this turn of the loop.
                continue
            if self._held_bytes + size_bytes > self._max_bytes:
                # Smaller ones behind it do not keep it out.
                break
            if self._fits_key(key, size_bytes):
                del self._waiting[place]
                self._take(key, size_bytes)
                place.set_result(None)

    def _fits(self, key: str, size_bytes: int) -> bool:
        return self._held_bytes + size_bytes <= self._max_bytes and self._fits_key(key, size_bytes)

    def _fits_key(self, key: str, size_bytes: int) -> bool:
        return self._held_bytes_of[key] + size_bytes <= self._max_bytes_of_key

    def _take(self, key: str, size_bytes: int) -> None:
        self._held_bytes += size_bytes
        self._held_bytes_of[key] += size_bytes
        if not self._held_bytes_of[key]:
            del self._held_bytes_of[key]


async def send_parts(exchange: Exchange, parts: Iterator[bytes], headers: HeaderList) -> None:
    """Sends a JSON answer as it is written: with its length where it is small, in chunks otherwise.

    Of a large one no more is written than its client reads, and others have their turn behind each part.
    """
    held = bytearray()
    for part in parts:
        held += part
        if len(held) > _WHOLE_BYTES:
            if not exchange.is_started:
                await exchange.begin(200, [JSON_TYPE, *headers])
            await exchange.write(bytes(held))
            held.clear()
        await asyncio.sleep(0)
    if exchange.is_started:
        await exchange.end(bytes(held))
    else:
        await exchange.answer(200, bytes(held), headers)
