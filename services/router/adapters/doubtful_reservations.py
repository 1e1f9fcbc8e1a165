"""Reservations that nobody wants and a lease store may have made all the same: its answer was lost."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

from services.kernel.identity import Identity

# As many as may wait for the store when it goes away; of more, the oldest end with their time.
MOST_DOUBTFUL: Final = 16_384


class DoubtfulReservations:
    """Leases of which no ticket left the router, oldest first, until the store has undone them."""

    def __init__(self, most: int = MOST_DOUBTFUL) -> None:
        self._most = most
        self._leases: dict[Identity, None] = {}

    def note(self, lease_ids: Iterable[Identity]) -> None:
        """Notes that these are to be undone."""
        for lease_id in lease_ids:
            self._leases[lease_id] = None
            if len(self._leases) > self._most:
                del self._leases[next(iter(self._leases))]

    def forget(self, lease_id: Identity) -> None:
        """Takes one back that is wanted again, if it is there."""
        self._leases.pop(lease_id, None)

    def take(self, most: int) -> Sequence[Identity]:
        """Returns the oldest ones, which are forgotten; whoever cannot undo them notes them again."""
        taken = list(itertools.islice(self._leases, most))
        for lease_id in taken:
            del self._leases[lease_id]
        return taken
