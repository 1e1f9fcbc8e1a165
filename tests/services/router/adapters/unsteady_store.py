"""A lease store that is away at times, for one router or for all: a call is lost, or only its answer."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState, Spending
from services.router.domain.lease import (
    Acceptance,
    Accepted,
    Earlier,
    Freed,
    Issue,
    Issued,
    Process,
    RequestPart,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Payer, Quotas

Got = TypeVar("Got")


class UnsteadyStore:
    """Asks the store, unless it is away; calls whose answers are lost are made, and say that it is.

    What is to be undone meanwhile is undone when it is back, as RedisLeases does it.
    """

    def __init__(self, store: LeaseStore) -> None:
        self.store = store
        self.is_away = False
        # Of the next answers, first to last.
        self.are_lost: list[bool] = []
        self._undone: list[Identity] = []

    async def _said(self, call: Awaitable[Got]) -> Got:
        found = await call
        if self.are_lost and self.are_lost.pop(0):
            raise ComptoirError(Reason.QUOTA_UNAVAILABLE, retry_after_seconds=1.0)
        return found

    def _reached(self) -> LeaseStore:
        if self.is_away:
            raise ComptoirError(Reason.QUOTA_UNAVAILABLE, retry_after_seconds=1.0)
        return self.store

    async def reserve(self, reservation: Reservation) -> QuotaState:
        return await self._said(self._reached().reserve(reservation))

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        return await self._said(self._reached().spending(tenant, key))

    async def earlier(self, payer: Payer, request: RequestPart) -> Earlier | None:
        return await self._said(self._reached().earlier(payer, request))

    async def spend_request(self, payer: Payer, quotas: Quotas) -> QuotaState:
        return await self._said(self._reached().spend_request(payer, quotas))

    async def issue(self, issue: Issue) -> bool:
        return await self._said(self._reached().issue(issue))

    async def issued(self, lease_id: Identity) -> Issued | None:
        return await self._said(self._reached().issued(lease_id))

    async def accept(self, acceptance: Acceptance) -> Accepted:
        return await self._said(self._reached().accept(acceptance))

    async def settle(self, settlement: Settlement) -> tuple[Settled, Freed | None]:
        return await self._said(self._reached().settle(settlement))

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        return await self._said(self._reached().release(lease_id))

    async def cancel(self, lease_id: Identity) -> Freed | None:
        if self.is_away:
            self._undone.append(lease_id)
            return None
        return await self._said(self.store.cancel(lease_id))

    async def lose(self, process: Process) -> Sequence[Freed]:
        return await self._said(self._reached().lose(process))

    async def expire(self) -> Sequence[Freed]:
        store = self._reached()
        undone, self._undone = self._undone, []
        freed = [one for lease_id in undone if (one := await store.cancel(lease_id)) is not None]
        return [*freed, *await self._said(store.expire())]

    def is_lent_here(self, lease_id: Identity) -> bool:
        return self.store.is_lent_here(lease_id)

    async def close(self) -> None:
        await self.store.close()
