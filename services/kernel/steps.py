"""Work that may take long, in steps: between two of them others have their turn of the loop."""

import asyncio
import itertools
import time
from collections.abc import Callable, Generator
from heapq import heappop, heappush
from typing import Final, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

Result = TypeVar("Result")
# To give way costs a turn of the loop, which takes others many milliseconds where they have much to do.
TURN_SECONDS: Final = 0.001
# What begins in one turn is answered and recorded together: a fifth less CPU than in turns of a millisecond.
PACE_SECONDS: Final = 0.004
_CALLED_AT_ONCE: Final = 16
# Yields where others may have their turn; no step takes longer than some milliseconds.
Steps: TypeAlias = Generator[None, None, Result]
# Those that wait for a turn, the first first.
_Line: TypeAlias = list[tuple[int, asyncio.Future[None]]]


def finished(steps: Steps[Result]) -> Result:
    """Returns the result of all steps, done at once; raises what they raise."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


async def in_turns(steps: Steps[Result], seconds: Callable[[], float] = time.monotonic) -> Result:
    """Returns the result of all steps; once some took a millisecond, others have as much time as they took.

    `seconds` is a monotonic clock, finer than the event loop's, which counts milliseconds.
    """
    begun_seconds = seconds()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        used_seconds = seconds() - begun_seconds
        if used_seconds >= TURN_SECONDS:
            await asyncio.sleep(used_seconds)
            # The times of many may be over in one turn of the loop.
            await turn(TURN_SECONDS)
            begun_seconds = seconds()


class Pace:
    """Spreads what begins in one turn of the loop over several: in each as much as takes four milliseconds.

    What comes with one message begins in one turn, however much it is together. The time is that of the
    loop's own thread: on a busy machine no less begins together. The kernel is asked for it only once so much
    time has passed by `wall_seconds`, which costs a fraction.
    """

    def __init__(
        self,
        seconds: Callable[[], float] = time.thread_time,
        wall_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._wall_seconds = wall_seconds
        # When the first of this turn began, by both clocks; None before.
        self._begun_seconds: tuple[float, float] | None = None
        self._numbers = itertools.count()
        # Of work that begins, and of long work that goes on.
        self._beginning: _Line = []
        self._going_on: _Line = []

    async def turn(self, pace_seconds: float = PACE_SECONDS) -> None:
        """Returns in a turn of which less is used, in the order of the calls; at once where this is such.

        What begins passes long work, which needs turns of which little is used and has one step in each.
        """
        waiting = self._beginning if pace_seconds >= PACE_SECONDS else self._going_on
        number, is_called = next(self._numbers), False
        while self._is_used(pace_seconds) or (waiting and not is_called):
            called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heappush(waiting, (number, called))
            self._begin()
            try:
                await called
            except asyncio.CancelledError:
                # Those behind it are called all the same.
                self._begin()
                raise
            is_called = True
        self._begin()

    def _is_used(self, pace_seconds: float) -> bool:
        if self._begun_seconds is None:
            return False
        begun_seconds, begun_wall_seconds = self._begun_seconds
        if self._wall_seconds() - begun_wall_seconds < pace_seconds:
            return False
        return self._seconds() - begun_seconds >= pace_seconds

    def _begin(self) -> None:
        if self._begun_seconds is None:
            self._begun_seconds = self._seconds(), self._wall_seconds()
            asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self._begun_seconds = None
        # One first, which would find the turn used; more of them only behind all that begins.
        called = _call(self._going_on, 1)
        called += _call(self._beginning, _CALLED_AT_ONCE - called)
        _call(self._going_on, _CALLED_AT_ONCE - called)


def _call(waiting: _Line, most: int) -> int:
    """Calls the first of those that wait, and returns how many."""
    called = 0
    while waiting and called < most:
        _, first = heappop(waiting)
        if not first.done():
            first.set_result(None)
            called += 1
    return called


_paces: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Pace]] = WeakKeyDictionary()


async def turn(pace_seconds: float = PACE_SECONDS) -> None:
    """Returns as `Pace.turn` of the running loop does, which all share who ask for a turn of it."""
    loop = asyncio.get_running_loop()
    pace = _paces.get(loop)
    if pace is None:
        pace = _paces[loop] = Pace()
    await pace.turn(pace_seconds)
