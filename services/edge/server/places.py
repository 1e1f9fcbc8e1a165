"""How many bytes of all keys, and of one, an edge holds at once for something that may be large."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.kernel.errors import ComptoirError, Reason


class Places:
    """Places of so many bytes each; who finds none waits for one, behind those that came before."""

    def __init__(self, *, wait_seconds: float, max_bytes: int, max_bytes_of_key: int) -> None:
        self._wait_seconds = wait_seconds
        self._max_bytes = max_bytes
        self._max_bytes_of_key = max_bytes_of_key
        self._held_bytes = 0
        self._held_bytes_of: Counter[str] = Counter()
        # In the order of their coming; a future is done when its place is taken.
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}

    @asynccontextmanager
    async def place(self, key: str, size_bytes: int) -> AsyncIterator[None]:
        """While entered, holds a place of `size_bytes` for `key`.

        Raises CONCURRENCY_EXHAUSTED where what the key has, and REPLICA_OVERLOADED where what all have leaves
        none for too long.
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

    def refusal_of(self, key: str, size_bytes: int) -> ComptoirError | None:
        """Returns why a place of `size_bytes` cannot be had at once; None where `take` may have it."""
        if not self._fits_key(key, size_bytes):
            return ComptoirError(Reason.CONCURRENCY_EXHAUSTED)
        if self._held_bytes + size_bytes > self._max_bytes:
            return ComptoirError(Reason.REPLICA_OVERLOADED)
        return None

    def take(self, key: str, size_bytes: int) -> None:
        """Takes a place ahead of those that wait: for more of what has one."""
        self._take(key, size_bytes)

    def give_back(self, key: str, size_bytes: int) -> None:
        """Gives back what `take` took."""
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
