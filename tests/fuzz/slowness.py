"""How long the code under test may compute: CPU of its own thread, so that a busy machine changes little."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

MOST_SECONDS: Final = 0.1
_TRIES: Final = 3

AnyResult = TypeVar("AnyResult")


class TooSlowError(Exception):
    """The code under test computed longer than MOST_SECONDS, each time that it was tried."""


def timed(call: Callable[[], AnyResult]) -> tuple[float, AnyResult]:
    """Returns the CPU seconds of a call, and its result."""
    started = time.thread_time()
    result = call()
    return time.thread_time() - started, result


def within_bound(call: Callable[[], AnyResult]) -> AnyResult:
    """Returns the result of `call`, which can be repeated; TooSlowError where no try was fast enough."""
    seconds = []
    for _ in range(_TRIES):
        taken, result = timed(call)
        if taken <= MOST_SECONDS:
            return result
        seconds.append(taken)
    raise TooSlowError(f"{min(seconds):.3f} s of CPU at best")
