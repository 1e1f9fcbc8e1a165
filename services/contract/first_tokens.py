"""Times to a first token as a replica tells them to its routers: counts in buckets, which add up."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

# What was so long ago counts no more.
WINDOW_SECONDS: Final = 60.0
_SHORTEST_SECONDS: Final = 0.001
_BUCKETS_PER_DOUBLING: Final = 4
BUCKETS: Final = 80
# The longest time that each bucket counts; the last counts all that are longer, too.
BOUNDS_SECONDS: Final[tuple[float, ...]] = tuple(
    _SHORTEST_SECONDS * 2.0 ** (index / _BUCKETS_PER_DOUBLING) for index in range(BUCKETS)
)


@dataclass(frozen=True, slots=True)
class FirstTokens:
    """How many requests of each class had their first token in a time of each bucket, in the last minute.

    Zeros at the end are left out.
    """

    interactive: tuple[int, ...] = ()
    default: tuple[int, ...] = ()
    batch: tuple[int, ...] = ()


def bucket_of(seconds: float) -> int:
    """Returns the bucket that counts a time."""
    return min(bisect_left(BOUNDS_SECONDS, seconds), BUCKETS - 1)
