"""Counts what becomes of leases: reserved = settled + released + cancelled + lost + expired + in flight."""

from collections.abc import Sequence

from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Reservation, Settled
from services.runtime.identity import Identity
from services.runtime.quota import QuotaState
from services.runtime.telemetry import counter


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

    async def settle(self, lease_id: Identity, used_tokens: int, now_seconds: float) -> Settled:
        """Settle and count what was found."""
        found = await self._inner.settle(lease_id, used_tokens, now_seconds)
        self._count(_SETTLED[found])
        return found

    async def release(self, lease_id: Identity, now_seconds: float) -> bool:
        """Release and count it, if this call closed the lease."""
        is_released = await self._inner.release(lease_id, now_seconds)
        if is_released:
            self._count("released")
        return is_released

    async def cancel(self, lease_id: Identity, now_seconds: float) -> bool:
        """Cancel and count it, if this call closed the lease."""
        is_cancelled = await self._inner.cancel(lease_id, now_seconds)
        if is_cancelled:
            self._count("cancelled")
        return is_cancelled

    async def lose(self, lease_ids: Sequence[Identity]) -> int:
        """Lose and count each that was open."""
        lost = await self._inner.lose(lease_ids)
        if lost:
            self._count("lost", lost)
        return lost

    async def expire(self, now_seconds: float) -> Sequence[Identity]:
        """Expire and count each."""
        expired = await self._inner.expire(now_seconds)
        if expired:
            self._count("expired", len(expired))
        return expired

    def _count(self, transition: str, amount: int = 1) -> None:
        self._transitions.add(amount, {"transition": transition})


_SETTLED = {
    Settled.OPEN: "settled",
    Settled.RELEASED: "settled_after_release",
    Settled.LOST: "settled_after_loss",
    Settled.UNKNOWN: "settled_unknown",
}
