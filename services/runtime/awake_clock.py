"""Time in which this process ran: no wait is over because the process, or its machine, stood still."""

import asyncio
from typing import Final, TypeVar

from services.kernel.clock import Clock

# A wait is made of slices this long, and one that took longer passed for its length alone: whoever was
# stopped in the middle has at most this much less of it.
_SLICE_SECONDS: Final = 0.25

_Answer = TypeVar("_Answer")


class AwakeClock:
    """A monotonic clock for deadlines that other processes are to meet.

    A process that was stopped finds each deadline passed when it goes on, and the answers that came meanwhile
    not read yet. By this clock it has the time left that it had when it was stopped. What stood still is seen
    by the waits that are made here, so somebody must be in one.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stood_still_seconds = 0.0
        # Waits overlap: what one of them saw is not counted again by the others.
        self._seen_until_seconds = clock.monotonic_seconds()

    def seconds(self) -> float:
        """Returns seconds since some moment, without those in which this process stood still."""
        return self._clock.monotonic_seconds() - self._stood_still_seconds

    async def wait(self, answer: asyncio.Future[_Answer], timeout_seconds: float) -> _Answer:
        """Returns the result of `answer`, or raises its failure; TimeoutError after that time awake.

        An answer that is given up, or whose caller is cancelled, goes on.
        """
        left_seconds = timeout_seconds
        while not answer.done():
            if left_seconds <= 0.0:
                raise TimeoutError
            slice_seconds = min(left_seconds, _SLICE_SECONDS)
            ends_seconds = self._clock.monotonic_seconds() + slice_seconds
            try:
                await asyncio.wait((answer,), timeout=slice_seconds)
            finally:
                self._see(ends_seconds)
            left_seconds -= slice_seconds
        return answer.result()

    async def pause(self, seconds: float) -> None:
        """Returns after that time."""
        ends_seconds = self._clock.monotonic_seconds() + seconds
        try:
            await asyncio.sleep(seconds)
        finally:
            self._see(ends_seconds)

    def _see(self, should_have_ended_seconds: float) -> None:
        now = self._clock.monotonic_seconds()
        self._stood_still_seconds += max(0.0, now - max(should_have_ended_seconds, self._seen_until_seconds))
        self._seen_until_seconds = max(now, self._seen_until_seconds)
