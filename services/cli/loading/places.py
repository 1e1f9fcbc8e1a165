"""Places in flight of an open load, and how long a request was held for want of one."""

import asyncio
from collections.abc import Callable


class Places:
    """So many at once. One asks at a time, in the order in which requests are due."""

    def __init__(self, most: int, now: Callable[[], float]) -> None:
        self._room = asyncio.Semaphore(most)
        self._now = now
        self._given = self._held_until = float("-inf")

    async def take(self, due_seconds: float) -> float:
        """Takes a place once there is one, and returns how long after it was due the request was held.

        Who comes behind one that was held, and was due meanwhile, was held as well. What the event loop needs
        from a place's return to its taking is the sender's own delay, and not in it.
        """
        is_full = self._room.locked()
        await self._room.acquire()
        if is_full:
            self._held_until = self._given
        return max(0.0, self._held_until - due_seconds)

    def give(self) -> None:
        """Gives one back."""
        self._given = self._now()
        self._room.release()
