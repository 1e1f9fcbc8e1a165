"""Work that may take long, in steps: between two of them others have their turn of the loop."""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Final, TypeAlias, TypeVar

Result = TypeVar("Result")
# To give way costs a turn of the loop, which takes others many milliseconds where they have much to do.
TURN_SECONDS: Final = 0.001
# Yields where others may have their turn; no step takes longer than some milliseconds.
Steps: TypeAlias = Generator[None, None, Result]


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
            begun_seconds = seconds()
