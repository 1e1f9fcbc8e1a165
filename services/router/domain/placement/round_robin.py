"""One after the other, in the order of their numbers, however busy they are."""

from collections.abc import Sequence

from services.router.domain.placement.replica import Replica


def round_robin(replicas: Sequence[Replica], after: int, stale_after_seconds: float) -> list[Replica]:
    """Returns the replicas by number, beginning with the first one behind the number `after`."""
    del stale_after_seconds
    return sorted(
        replicas,
        key=lambda replica: (replica.registration.replica <= after, replica.registration.replica),
    )
