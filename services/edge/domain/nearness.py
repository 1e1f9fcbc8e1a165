"""Which routers are the nearest: the first of the list, or all as near as that, by what round trips say."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.edge.domain.ports import Standing

# Of looks: half a minute. The least of them is the way; what a queue or a busy process adds is not.
_KEPT: Final = 120
# Before there are so many, some seconds' worth, nothing is known of the way.
_ENOUGH: Final = 40
# One that is asked already need not be nearer by more than this share of what another one has to be.
_TO_STAY: Final = 0.5


class RoundTrips:
    """How long the latest questions took that cost a router nothing."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    @property
    def least_seconds(self) -> float | None:
        """Returns the shortest; None while too few are known."""
        return min(self._seconds) if len(self._seconds) >= _ENOUGH else None

    def add(self, seconds: float) -> None:
        """Takes one."""
        self._seconds.append(seconds)

    def forget(self) -> None:
        """Forgets them all: what is there next may be elsewhere."""
        self._seconds.clear()


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of one router."""

    standing: Standing
    round_trip_seconds: float | None = None


def nearest(candidates: Sequence[Candidate], chosen: int | None, nearer_seconds: float) -> int:
    """Returns the place in the list of the router to ask; `chosen` is the one asked so far.

    Of those that stand best it is the first, unless the way to a later one is shorter by more than
    `nearer_seconds`, or by more than half of that where this is the one asked so far: two that are about
    equally far do not take turns, and every edge that has the same list asks the same of them.
    """
    best_standing = max(candidate.standing for candidate in candidates)
    best, *others = (place for place, one in enumerate(candidates) if one.standing is best_standing)
    for other in others:
        by_seconds = nearer_seconds * (_TO_STAY if other == chosen else 1.0)
        if _is_nearer(candidates[other], candidates[best], by_seconds):
            best = other
    return best


def equally_near(candidates: Sequence[Candidate], nearer_seconds: float) -> list[int]:
    """Returns the places in the list of those that stand best and have no clearly longer way than others.

    Clearly is by more than `nearer_seconds` than the shortest; of a way that is not known, nothing is said.
    """
    best_standing = max(candidate.standing for candidate in candidates)
    best = [place for place, one in enumerate(candidates) if one.standing is best_standing]
    return [
        place
        for place in best
        if not any(_is_nearer(candidates[other], candidates[place], nearer_seconds) for other in best)
    ]


def _is_nearer(one: Candidate, other: Candidate, by_seconds: float) -> bool:
    if one.round_trip_seconds is None or other.round_trip_seconds is None:
        return False
    return other.round_trip_seconds - one.round_trip_seconds > by_seconds
