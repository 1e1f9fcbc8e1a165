"""Leases in this process's memory: for one router; a restart forgets them and every quota is full again."""

from collections.abc import Sequence

from services.router.domain.quota import QuotaBook, Reservation, Settled
from services.runtime.identity import Identity
from services.runtime.quota import QuotaState


class MemoryLeases:
    """The lease store of a single router; each call is one step of the event loop, so it is atomic."""

    def __init__(self) -> None:
        self._book = QuotaBook()

    async def reserve(self, reservation: Reservation, now_seconds: float) -> QuotaState:
        """Lend all or nothing; raises which part of the quota is spent, with the wait."""
        return self._book.reserve(reservation, now_seconds)

    async def settle(self, lease_id: Identity, used_tokens: int, now_seconds: float) -> Settled:
        """Replace a lease by what was used; safe to repeat."""
        return self._book.settle(lease_id, used_tokens, now_seconds)

    async def release(self, lease_id: Identity, now_seconds: float) -> bool:
        """Give an unused lease back; False if it was closed before."""
        return self._book.release(lease_id, now_seconds)

    async def cancel(self, lease_id: Identity, now_seconds: float) -> bool:
        """Undo a lease of which no ticket left the router; False if it was closed before."""
        return self._book.cancel(lease_id, now_seconds)

    async def lose(self, lease_ids: Sequence[Identity]) -> int:
        """Free the concurrency of leases whose replica died, and return how many were open."""
        return self._book.lose(lease_ids)

    async def expire(self, now_seconds: float) -> Sequence[Identity]:
        """Close the leases that nobody settled in time and return which."""
        return self._book.expire(now_seconds)
