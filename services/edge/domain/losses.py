"""Replicas that one request lost before any text, and whether it asks the router for another one."""

from typing import Final

from services.kernel.backoff import Backoff
from services.kernel.errors import Reason

# Reasons that say of a replica that it is gone. One that is full, or whose engine failed, is there: the same
# request would fare no better.
_LOST: Final = frozenset({Reason.UNAVAILABLE, Reason.REPLICA_DRAINING})
# A request that breaks the replicas that accept it breaks no more than these.
_MOST_ACCEPTED: Final = 3
# The router needs a moment to notice that a stream broke.
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0


class Losses:
    """What one request lost so far; asks for `unreachable_seconds` while no replica can be reached."""

    def __init__(self, *, unreachable_seconds: float) -> None:
        self._unreachable_seconds = unreachable_seconds
        self._accepted = 0
        self._unreachable_since_seconds: float | None = None
        self._backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)

    def pause_seconds(
        self, reason: Reason, *, accepted: int, now_seconds: float, jitter: float
    ) -> float | None:
        """Returns how long to wait before the router is asked again, None where it is not.

        `accepted` says how many replicas may have accepted the request before they were lost; 0 means that
        none was reached.
        """
        if reason not in _LOST:
            return None
        if accepted:
            self._accepted += accepted
            self._unreachable_since_seconds = None
            is_enough = self._accepted >= _MOST_ACCEPTED
        else:
            if self._unreachable_since_seconds is None:
                self._unreachable_since_seconds = now_seconds
            is_enough = now_seconds - self._unreachable_since_seconds >= self._unreachable_seconds
        if is_enough:
            return None
        return self._backoff.next_seconds(jitter=jitter)
