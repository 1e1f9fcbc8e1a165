"""How late the event loop is: a timer that is due every so often, and when it really comes."""

import asyncio
from array import array
from collections.abc import Callable
from typing import Final

INTERVAL_SECONDS: Final = 0.05


class LagMeter:
    """Looks while it runs; a stall counts as often as the timer would have come in it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.lag_seconds: array[float] = array("d")

    async def run(self) -> None:
        """Looks until it is cancelled."""
        while True:
            due = self._now() + INTERVAL_SECONDS
            await asyncio.sleep(INTERVAL_SECONDS)
            self._note(max(0.0, self._now() - due))

    def _note(self, late: float) -> None:
        # One look alone would let a stall of a second count as little as a moment without one.
        while late > INTERVAL_SECONDS:
            self.lag_seconds.append(late)
            late -= INTERVAL_SECONDS
        self.lag_seconds.append(late)
