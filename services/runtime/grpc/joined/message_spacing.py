"""How far apart the messages of one stream are where much comes up, so that more of it travels together."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable


class MessageSpacing:
    """Holds a message back only behind another one: the first after a silence leaves at once.

    What comes up meanwhile goes with it. None waits longer than `seconds`, and with 0 none waits.
    `clock` is a monotonic one, finer than the event loop's, which counts milliseconds.
    """

    def __init__(
        self,
        seconds: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._may_leave_at_seconds = -math.inf

    async def turn(self) -> None:
        """Returns when the next message may leave; take what it carries only then."""
        if not self._seconds:
            return
        left_seconds = self._may_leave_at_seconds - self._clock()
        if left_seconds > 0:
            await self._sleep(left_seconds)

    def note_leaving(self) -> None:
        """Takes note that a message leaves now."""
        if self._seconds:
            self._may_leave_at_seconds = self._clock() + self._seconds
