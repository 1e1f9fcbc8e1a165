"""Leases in this process's memory: for one router; a restart forgets them and every quota is full again."""

from collections.abc import Sequence

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
from services.router.domain.lease_book import LeaseBook


class MemoryLeases:
    """The lease store of a single router; each call is one step of the event loop, so it is atomic."""

    def __init__(self) -> None:
        self._book = LeaseBook()

    async def reserve(self, reservation: Reservation, now_seconds: float) -> QuotaState:
        """Lend all or nothing; raises which part of the quota is spent, with the wait."""
        return self._book.reserve(reservation, now_seconds)

    async def issue(self, issue: Issue) -> None:
        """Note the tickets that were signed for a reservation."""
        self._book.issue(issue)

    async def accept(self, acceptance: Acceptance, now_seconds: float) -> Accepted:
        """Bind a ticket to the process that accepted it; safe to repeat."""
        return self._book.accept(acceptance, now_seconds)

    async def settle(self, settlement: Settlement, now_seconds: float) -> tuple[Settled, Freed | None]:
        """Replace what a ticket holds by what was used; safe to repeat."""
        return self._book.settle(settlement, now_seconds)

    async def release(self, lease_id: Identity, now_seconds: float) -> tuple[bool, Freed | None]:
        """Give an unused lease back once its tickets are dead; False if accepted, released or over."""
        return self._book.release(lease_id, now_seconds)

    async def cancel(self, lease_id: Identity, now_seconds: float) -> Freed | None:
        """Undo a lease of which no ticket left the router."""
        return self._book.cancel(lease_id, now_seconds)

    async def lose(self, process: Process, now_seconds: float) -> Sequence[Freed]:
        """Free the places of what a process accepted that is gone."""
        return self._book.lose(process, now_seconds)

    async def expire(self, now_seconds: float) -> Sequence[Freed]:
        """Free what nobody accepted in time, with its tokens, and what nobody settled, without them."""
        return self._book.expire(now_seconds)
