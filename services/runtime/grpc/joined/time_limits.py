"""How long each call of a stream may take: a timer each, for a fifth of what `asyncio.timeout` costs."""

import asyncio
from collections.abc import Callable
from typing import Final

from services.kernel.errors import ComptoirError, Reason

_MILLISECONDS: Final = 1000


class TimeLimits:
    """The limits of calls by their numbers; `end` cancels a call whose time is over."""

    def __init__(self, end: Callable[[int], None]) -> None:
        self._end = end
        # None once its time is over.
        self._timers: dict[int, asyncio.TimerHandle | None] = {}

    def begin(self, number: int, milliseconds: int) -> None:
        """Has a call end after so long; 0 is no limit."""
        if milliseconds:
            loop = asyncio.get_running_loop()
            self._timers[number] = loop.call_later(milliseconds / _MILLISECONDS, self._over, number)

    def failure(self, number: int, failure: BaseException | None) -> BaseException | None:
        """Takes note that a call ended; returns how it failed: by its time, where that has cancelled it."""
        if number not in self._timers:
            return failure
        timer = self._timers.pop(number)
        if timer is not None:
            timer.cancel()
        elif isinstance(failure, asyncio.CancelledError):
            return ComptoirError(Reason.DEADLINE_EXCEEDED)
        return failure

    def _over(self, number: int) -> None:
        self._timers[number] = None
        self._end(number)
