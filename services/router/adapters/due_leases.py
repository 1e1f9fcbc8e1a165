"""When something of a lease may be over, soonest first: nobody looks at all leases to find those."""

import heapq
import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from services.kernel.identity import Identity
from services.kernel.steps import TURN_SECONDS, turn
from services.router.domain.lease import Hold, Lease

# Times that are not those of a lease any more, for each lease, before they are thrown away.
_STALE_TIMES: Final = 4
_FEW_TIMES: Final = 1024
# That end in one step: two milliseconds at most.
_LEASES_AT_ONCE: Final = 64


class DueLeases:
    """Times of leases. One that has changed since costs a look in vain, and nothing else."""

    def __init__(self) -> None:
        self._times: list[tuple[float, int, Identity]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        """Returns how many times are kept."""
        return len(self._times)

    def add(self, lease_id: Identity, at_seconds: float) -> None:
        """Notes that something of a lease is over then; to be said of each end that is new."""
        heapq.heappush(self._times, (at_seconds, next(self._numbers), lease_id))

    async def over(self, now: Callable[[], float]) -> AsyncIterator[Identity]:
        """Yields the leases of which something may be over; others have their turn between many."""
        for number in itertools.count(1):
            if not self._times or self._times[0][0] > now():
                return
            yield heapq.heappop(self._times)[2]
            if number % _LEASES_AT_ONCE == 0:
                await turn(TURN_SECONDS)

    def shrink(self, leases: Mapping[Identity, Lease]) -> None:
        """Throws away the times of what ended before them, once these are most."""
        if len(self._times) > _STALE_TIMES * len(leases) + _FEW_TIMES:
            self._times.clear()
            for lease in leases.values():
                for at_seconds in _ends_of(lease):
                    self.add(lease.lease_id, at_seconds)


def over(holds: Mapping[Identity, Hold], now_seconds: float) -> list[Identity]:
    """Returns the tickets that nobody settled in time."""
    return [ticket_id for ticket_id, hold in holds.items() if hold.expires_at_seconds <= now_seconds]


def _ends_of(lease: Lease) -> list[float]:
    ends = [hold.expires_at_seconds for hold in (*lease.accepted.values(), *lease.lost.values())]
    return [*ends, lease.expires_at_seconds] if lease.is_reserved else ends
