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
    """What one request lost so far.

    It asks for `unreachable_seconds` in vain, not counting what the router had it wait for.
    """

    def __init__(self, *, unreachable_seconds: float) -> None:
        self._unreachable_seconds = unreachable_seconds
        self._in_vain_seconds = 0.0
        self._accepted = 0
        self._backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)

    def pause_seconds(
        self, reason: Reason, *, accepted: int, tried_seconds: float, jitter: float
    ) -> float | None:
        """Returns how long to wait before the router is asked again, None where it is not.

        `accepted` says how many replicas may have accepted the request before they were lost, 0 that none was
        reached; `tried_seconds` is the time from the admission to the loss.
        """
        if reason not in _LOST:
            return None
        if accepted:
            self._accepted += accepted
            self._in_vain_seconds = 0.0
            is_enough = self._accepted >= _MOST_ACCEPTED
        else:
            self._in_vain_seconds += tried_seconds
            is_enough = self._in_vain_seconds >= self._unreachable_seconds
        if is_enough:
            return None
        pause_seconds = self._backoff.next_seconds(jitter=jitter)
        self._in_vain_seconds += pause_seconds
        return pause_seconds
