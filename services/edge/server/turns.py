"""Whose turn it is of many whose work is long: one at a time, the shortest first."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(order=True, slots=True)
class _Place:
    rank: int
    number: int
    called: asyncio.Future[None] = field(compare=False)


class Turns:
    """One has its turn at a time; of those that wait the shortest is next, and of equals the first.

    What is shorter passes what waits only if it came before as much had its turn as the waiting one is long:
    nothing waits for ever, however many come.
    """

    def __init__(self) -> None:
        self._waiting: list[_Place] = []
        self._numbers = itertools.count()
        self._is_taken = False
        # The sizes of all that had their turn, together.
        self._passed = 0

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Waits for the turn of work of this size, which lasts while this is entered."""
        await self._take(size)
        try:
            yield
        finally:
            self._passed += size
            self._call_next()

    async def _take(self, size: int) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        called = asyncio.get_running_loop().create_future()
        heappush(self._waiting, _Place(self._passed + size, next(self._numbers), called))
        try:
            await called
        except asyncio.CancelledError:
            # It was called and left in the same turn of the loop.
            if called.done() and not called.cancelled():
                self._call_next()
            raise

    def _call_next(self) -> None:
        while self._waiting:
            called = heappop(self._waiting).called
            if not called.done():
                called.set_result(None)
                return
        self._is_taken = False
