"""The replica with the least work before a new request gets it."""

from collections.abc import Sequence
from typing import Final

from services.router.domain.placement.replica import Load, Replica, outstanding
from services.router.domain.placement.round_robin import distance

_PERMILLE: Final = 1000
# Scores closer than this are equal: equals take turns.
_SCORE_DIGITS: Final = 3


def least_work(replicas: Sequence[Replica], after: int, stale_after_seconds: float) -> Replica:
    """Returns the replica with the least work; equals take turns, behind the number `after`."""
    return min(replicas, key=lambda replica: (score(replica, stale_after_seconds), distance(replica, after)))


def score(replica: Replica, stale_after_seconds: float) -> float:
    """Returns how much work lies before a new request, in shares of the replica's capacity; low is better."""
    capacity = replica.registration.max_requests
    load = replica.load
    if load is None or _is_silent(load, stale_after_seconds):
        # Low load of a silent engine does not mean idle: its cache counts as full.
        return round(outstanding(replica) / capacity + 1.0, _SCORE_DIGITS)
    work = (outstanding(replica) + load.waiting_requests) / capacity
    return round(work + load.kv_usage_permille / _PERMILLE, _SCORE_DIGITS)


def _is_silent(load: Load, stale_after_seconds: float) -> bool:
    # An engine that held nothing has nothing to say, however long ago it last made a step. What was
    # sent there since is no reason to expect that it spoke: its report came before.
    held = load.running_requests + load.waiting_requests
    return held > 0 and load.age_seconds > stale_after_seconds
