"""Which replicas of a model are about to be ready, and which have tried for too long or too often."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.router.domain.placement.replica import State

# A process that ended before it was ready may have been unlucky, or told to.
_MOST_ENDED: Final = 3
# Kubernetes waits for five minutes at most before it restarts what crashed.
_FORGOTTEN_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class Heard:
    """A replica that speaks: its number, its process, 0 if unknown, and its state."""

    replica: int
    incarnation: int
    state: State


@dataclass(frozen=True, slots=True)
class Coming:
    """How many replicas start, and how many fail to: those speak now or will at their next restart."""

    starting: int
    failing: int


@dataclass(slots=True)
class _Start:
    since_seconds: float
    heard_seconds: float
    incarnation: int
    # Processes that ended before they were ready.
    ended: int = 0


class Starts:
    """What one model's replicas did since they were ready last; times never go back.

    A replica fails to start that is not ready `loading_seconds` after its first try, or once three of its
    processes ended before they were.
    """

    def __init__(self, loading_seconds: float) -> None:
        self._loading_seconds = loading_seconds
        self._starts: dict[int, _Start] = {}

    def hear(self, replicas: Iterable[Heard], now_seconds: float) -> Coming:
        """Takes note of all replicas that speak at this moment, and returns what comes; ask often."""
        loading = [one for one in replicas if not self._has_loaded(one)]
        for one in loading:
            self._note(one, now_seconds)
        for number, start in list(self._starts.items()):
            if now_seconds - start.heard_seconds > _FORGOTTEN_SECONDS:
                del self._starts[number]
        failing = {number for number, start in self._starts.items() if self._fails(start, now_seconds)}
        return Coming(sum(one.replica not in failing for one in loading), len(failing))

    def _has_loaded(self, one: Heard) -> bool:
        if one.state is State.STARTING:
            return False
        self._starts.pop(one.replica, None)
        return True

    def _note(self, one: Heard, now_seconds: float) -> None:
        start = self._starts.get(one.replica)
        if start is None or now_seconds - start.heard_seconds > _FORGOTTEN_SECONDS:
            self._starts[one.replica] = _Start(now_seconds, now_seconds, one.incarnation)
            return
        start.heard_seconds = now_seconds
        if one.incarnation and start.incarnation != one.incarnation:
            start.ended += bool(start.incarnation)
            start.incarnation = one.incarnation

    def _fails(self, start: _Start, now_seconds: float) -> bool:
        return start.ended >= _MOST_ENDED or now_seconds - start.since_seconds > self._loading_seconds
