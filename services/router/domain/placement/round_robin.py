"""One after the other, in the order of their numbers, however busy they are."""

from collections.abc import Sequence

from services.router.domain.placement.asking import Ask
from services.router.domain.placement.replica import Replica


def round_robin(replicas: Sequence[Replica], ask: Ask) -> Replica:
    """Returns the first replica by number behind the one chosen last."""
    return next_in_turn(replicas, ask.after)


def next_in_turn(replicas: Sequence[Replica], after: int) -> Replica:
    """Returns the first replica by number behind the number `after`."""
    return min(replicas, key=lambda replica: distance(replica, after))


def distance(replica: Replica, after: int) -> tuple[bool, int]:
    """Returns the replica's place in the turn that goes on behind the number `after`."""
    number = replica.registration.replica
    return number <= after, number
