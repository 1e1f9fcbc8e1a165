"""Replicas that one request lost before any text, and whether it asks the router for another one."""

from typing import Final

from comptoir.client.errors import ComptoirError
from comptoir.error.v1.error_reason_pb2 import ERROR_REASON_REPLICA_DRAINING, ERROR_REASON_UNAVAILABLE

# Reasons that say of a replica that it is gone. One that is full, or whose engine failed, is there: the same
# request would fare no better.
_LOST: Final = frozenset({ERROR_REASON_UNAVAILABLE, ERROR_REASON_REPLICA_DRAINING})
# A request that breaks the replicas that accept it breaks no more than these.
_MOST_ACCEPTED: Final = 3
# The router needs a moment to notice that a stream broke; each pause is twice the one before.
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0


class Losses:
    """What one request lost so far, over all of its admissions; the edge keeps the same rules.

    It asks for `unreachable_seconds` in vain, not counting what the router had it wait for.
    """

    def __init__(self, *, unreachable_seconds: float) -> None:
        self._unreachable_seconds = unreachable_seconds
        self._in_vain_seconds = 0.0
        self._accepted = 0
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    def pause_seconds(
        self, error: ComptoirError, *, accepted: int, tried_seconds: float, jitter: float
    ) -> float | None:
        """Returns how long to wait before the router is asked again, None where it is not.

        `accepted` says how many replicas may have accepted the request before they were lost, 0 that none was
        reached; `tried_seconds` is the time from the admission to the loss. `jitter` in [0, 1) is random, so
        that those who lost the same replica do not come back together.
        """
        if error.reason not in _LOST:
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
        pause_seconds = self._pause_seconds * (1.0 - jitter / 2.0)
        self._pause_seconds = min(2.0 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._in_vain_seconds += pause_seconds
        return pause_seconds
