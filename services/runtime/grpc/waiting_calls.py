"""Calls that hold a place of a server while they wait, bounded in time and number."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class WaitingCalls:
    """Gives the newest their places: where too many wait, the one that has waited longest ends."""

    def __init__(self, *, most_waiting: int, patience_seconds: float = 0.0) -> None:
        self._most_waiting = most_waiting
        self._patience_seconds = patience_seconds
        # Since when each waits; the one that has waited longest comes first.
        self._waiting: dict[asyncio.Timeout, float] = {}

    @asynccontextmanager
    async def place(self, seconds: float | None = None) -> AsyncIterator[None]:
        """Holds a place for at most `seconds`; TimeoutError at its end, however that comes."""
        async with asyncio.timeout(seconds) as limit:
            self._waiting[limit] = asyncio.get_running_loop().time()
            self._make_room()
            try:
                yield
            finally:
                self._waiting.pop(limit, None)

    def _make_room(self) -> None:
        if len(self._waiting) <= self._most_waiting:
            return
        longest = next(iter(self._waiting))
        since = self._waiting.pop(longest)
        if not longest.expired():
            longest.reschedule(since + self._patience_seconds)
