"""When a replica that says nothing is left for another one, and how many may do that; does no I/O."""

import math
import threading
from typing import Final

from comptoir.error.v1.error_reason_pb2 import (
    ERROR_REASON_LEASE_ENDED,
    ERROR_REASON_REPLICA_OVERLOADED,
    ErrorReason,
)

# Of the requests of late, and beyond that as many as one replica may have at once that hangs.
_HEDGED_SHARE: Final = 0.05
_MOST_AT_ONCE: Final = 100.0
# A ticket that nobody accepted is half as old then as it gets by default, and its lease is still there.
_ACCEPTED_WITHIN_SECONDS: Final = 5.0
# Behind a question that brought no ticket; each pause is twice the one before.
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0


class HedgeBudget:
    """How many more requests may leave their replica; may be shared by threads.

    Each request adds a twentieth of one. The edge keeps the same rules.
    """

    def __init__(self) -> None:
        self._left = _MOST_AT_ONCE
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Takes note of a request."""
        self._add(_HEDGED_SHARE)

    def spend(self) -> bool:
        """Takes one, and returns whether there was one."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def give_back(self) -> None:
        """Returns one that was taken and not used."""
        self._add(1)

    def _add(self, part: float) -> None:
        with self._lock:
            self._left = min(_MOST_AT_ONCE, self._left + part)


class Hedging:
    """The rules of one client; `first_token_seconds` of 0 leaves nobody."""

    def __init__(self, first_token_seconds: float) -> None:
        self.first_token_seconds = first_token_seconds
        self.budget = HedgeBudget()

    @property
    def accepted_seconds(self) -> float:
        """How long a replica may take to accept a request."""
        return min(self.first_token_seconds, _ACCEPTED_WITHIN_SECONDS)


class Questions:
    """When one request asks the router for another replica, once and again; moments are of any one clock."""

    def __init__(self, hedging: Hedging) -> None:
        self._hedging = hedging
        self._asked_at = 0.0
        self._not_before = -math.inf
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    def begin(self, now: float) -> None:
        """Notes that a replica is asked for the answer now."""
        self._asked_at = now

    def due_at(self, *, is_accepted: bool) -> float:
        """Returns when another replica is to be asked for; infinity where none is."""
        hedging = self._hedging
        if not hedging.first_token_seconds:
            return math.inf
        seconds = hedging.first_token_seconds if is_accepted else hedging.accepted_seconds
        return max(self._not_before, self._asked_at + seconds)

    def refused(self, reason: "ErrorReason.ValueType", now: float, *, jitter: float) -> None:
        """Notes that there is none now. `jitter` in [0, 1) is random, so that not all ask together again."""
        pause_seconds = self._pause_seconds * (1.0 - jitter / 2.0)
        self._pause_seconds = min(2.0 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        self._not_before = now + pause_seconds
        if reason == ERROR_REASON_REPLICA_OVERLOADED:
            # It has accepted the request, which a whole answer does not say before its end.
            self._not_before = max(self._not_before, self._asked_at + self._hedging.first_token_seconds)
        if reason == ERROR_REASON_LEASE_ENDED:
            self._not_before = math.inf
