"""Counts what becomes of leases.

Places taken = reserved + accepted_unreserved + recovered; places free again = settled + released +
cancelled + lost + expired; the difference is in flight.
"""

from collections.abc import Sequence
from typing import Final

from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.lease import (
    Acceptance,
    Accepted,
    Freed,
    Issue,
    Process,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.ports import LeaseStore
from services.runtime.telemetry import counter

_ACCEPTED: Final = {
    Accepted.RESERVED: "accepted",
    Accepted.NOTHING: "accepted_unreserved",
    Accepted.LOST: "recovered",
    Accepted.KNOWN: "accepted_again",
    Accepted.ENDED: "accepted_late",
}
_SETTLED: Final = {
    Settled.LOST: "settled_after_loss",
    Settled.NOTHING: "settled_unreserved",
    Settled.HANDED_BACK: "handed_back",
    Settled.ENDED: "settled_again",
}


class CountedLeases:
    """A lease store whose transitions are a metric, so that completeness is proved and not assumed."""

    def __init__(self, inner: LeaseStore) -> None:
        self._inner = inner
        self._transitions = counter(
            "comptoir.router.leases", unit="{lease}", description="Transitions of quota leases."
        )

    async def reserve(self, reservation: Reservation, now_seconds: float) -> QuotaState:
        """Reserve and count it; a refusal counts nothing."""
        state = await self._inner.reserve(reservation, now_seconds)
        self._count("reserved")
        return state

    async def issue(self, issue: Issue) -> None:
        """Note the tickets that were signed for a reservation; no transition."""
        await self._inner.issue(issue)

    async def accept(self, acceptance: Acceptance, now_seconds: float) -> Accepted:
        """Accept and count what was found."""
        found = await self._inner.accept(acceptance, now_seconds)
        self._count(_ACCEPTED[found])
        return found

    async def settle(self, settlement: Settlement, now_seconds: float) -> tuple[Settled, Freed | None]:
        """Settle and count the place that became free, or what was found instead."""
        found, freed = await self._inner.settle(settlement, now_seconds)
        if found is Settled.OPEN:
            self._count_freed(freed)
        else:
            self._count(_SETTLED[found])
        return found, freed

    async def release(self, lease_id: Identity, now_seconds: float) -> tuple[bool, Freed | None]:
        """Release; it is counted when the place becomes free."""
        is_released, freed = await self._inner.release(lease_id, now_seconds)
        self._count_freed(freed)
        return is_released, freed

    async def cancel(self, lease_id: Identity, now_seconds: float) -> Freed | None:
        """Cancel and count it, if this call closed the lease."""
        freed = await self._inner.cancel(lease_id, now_seconds)
        self._count_freed(freed)
        return freed

    async def lose(self, process: Process, now_seconds: float) -> Sequence[Freed]:
        """Lose and count each place that became free."""
        freed = await self._inner.lose(process, now_seconds)
        self._count_freed(*freed)
        return freed

    async def expire(self, now_seconds: float) -> Sequence[Freed]:
        """Expire and count each place that became free."""
        freed = await self._inner.expire(now_seconds)
        self._count_freed(*freed)
        return freed

    def _count_freed(self, *freed: Freed | None) -> None:
        for one in freed:
            if one is not None:
                self._count(one.ending.value)

    def _count(self, transition: str) -> None:
        self._transitions.add(1, {"transition": transition})
