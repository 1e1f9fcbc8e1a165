"""The end of a lease: whichever way it closes, its request no longer counts on a replica."""

from services.router.domain.placement import Registration
from services.router.domain.ports import LeaseStore, ReplicaDirectory
from services.runtime.identity import Identity


class LeaseDesk:
    """Closes leases in the store and in the replica directory together."""

    def __init__(self, leases: LeaseStore, replicas: ReplicaDirectory) -> None:
        self._leases = leases
        self._replicas = replicas

    async def settle(self, lease_id: Identity, used_tokens: int, now_seconds: float) -> None:
        """Charge what a request really used; unknown and closed leases are left as they are."""
        await self._leases.settle(lease_id, used_tokens, now_seconds)
        self._replicas.unassign(lease_id)

    async def release(self, lease_id: Identity, now_seconds: float) -> bool:
        """Give an unused lease back; False if it was closed before."""
        is_released = await self._leases.release(lease_id, now_seconds)
        self._replicas.unassign(lease_id)
        return is_released

    async def cancel(self, lease_id: Identity, now_seconds: float) -> None:
        """Undo a lease of which no ticket left the router."""
        self._replicas.unassign(lease_id)
        await self._leases.cancel(lease_id, now_seconds)

    async def lose(self, registration: Registration) -> int:
        """Give up on what ran in an earlier process of a replica, and return how many leases that was."""
        orphans = self._replicas.orphans(registration)
        for lease_id in orphans:
            self._replicas.unassign(lease_id)
        return await self._leases.lose(orphans)

    async def expire(self, now_seconds: float) -> int:
        """Close what nobody settled in time and return how many."""
        expired = await self._leases.expire(now_seconds)
        for lease_id in expired:
            self._replicas.unassign(lease_id)
        return len(expired)
