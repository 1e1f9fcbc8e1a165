"""Work that may take long, in steps: between two of them others have their turn of the loop."""

import asyncio
from collections.abc import Generator
from typing import TypeAlias, TypeVar

Result = TypeVar("Result")
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


async def in_turns(steps: Steps[Result]) -> Result:
    """Returns the result of all steps; after each, others have as much time as it took."""
    loop = asyncio.get_running_loop()
    while True:
        begun_seconds = loop.time()
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
        await asyncio.sleep(loop.time() - begun_seconds)
