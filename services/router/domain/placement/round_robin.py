"""One after the other, in the order of their numbers, however busy they are."""

from collections.abc import Sequence

from services.router.domain.placement.replica import Replica


def round_robin(replicas: Sequence[Replica], after: int, stale_after_seconds: float) -> Replica:
    """Returns the first replica by number behind the number `after`."""
    del stale_after_seconds
    return min(replicas, key=lambda replica: distance(replica, after))


def distance(replica: Replica, after: int) -> tuple[bool, int]:
    """Returns the replica's place in the turn that goes on behind the number `after`."""
    number = replica.registration.replica
    return number <= after, number
