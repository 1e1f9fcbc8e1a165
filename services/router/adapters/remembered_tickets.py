"""Tickets that were settled, for as long as a replica may say so again: said again, that changes nothing."""

from collections import OrderedDict
from typing import Final

from services.kernel.identity import Identity

# Longer than a replica says a settlement again; beyond the number, the oldest are forgotten.
REMEMBERED_SECONDS: Final = 660.0
MAX_REMEMBERED: Final = 65_536


class RememberedTickets:
    """The latest tickets that ended, and when to forget each."""

    def __init__(self, most: int) -> None:
        self._most = most
        # One whose first entries are deleted is not searched for the first that is left.
        self._until: OrderedDict[Identity, float] = OrderedDict()

    def __contains__(self, ticket_id: Identity) -> bool:
        """Tells whether a ticket has ended, as far as is remembered."""
        return ticket_id in self._until

    def __len__(self) -> int:
        """Returns how many are remembered."""
        return len(self._until)

    def add(self, ticket_id: Identity, now_seconds: float) -> None:
        """Remembers that a ticket has ended."""
        self._until[ticket_id] = now_seconds + REMEMBERED_SECONDS

    def forget(self, now_seconds: float) -> None:
        """Forgets those whose time is over, and the oldest of too many."""
        while self._until:
            oldest = next(iter(self._until))
            if self._until[oldest] > now_seconds and len(self._until) <= self._most:
                return
            del self._until[oldest]
