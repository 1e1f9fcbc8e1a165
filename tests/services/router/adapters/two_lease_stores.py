"""Two lease stores that are told the same: an answer of one that is not the other's is found at once."""

from collections.abc import Coroutine, Sequence
from dataclasses import astuple
from typing import Any, TypeVar

from services.kernel.errors import ComptoirError
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


class TwoLeaseStores:
    """Asks both, and answers as they do."""

    def __init__(self, one: LeaseStore, other: LeaseStore) -> None:
        self._one = one
        self._other = other

    async def reserve(self, reservation: Reservation) -> QuotaState:
        return await _same(self._one.reserve(reservation), self._other.reserve(reservation))

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        return await _same(self._one.spending(tenant, key), self._other.spending(tenant, key))

    async def earlier(self, payer: Payer, request: RequestPart) -> Earlier | None:
        one = await self._one.earlier(payer, request)
        other = await self._other.earlier(payer, request)
        assert (one and (one.lease_id, sorted(one.holders))) == (
            other and (other.lease_id, sorted(other.holders))
        )
        return one

    async def spend_request(self, payer: Payer, quotas: Quotas) -> QuotaState:
        return await _same(self._one.spend_request(payer, quotas), self._other.spend_request(payer, quotas))

    async def issue(self, issue: Issue) -> bool:
        return await _same(self._one.issue(issue), self._other.issue(issue))

    async def issued(self, lease_id: Identity) -> Issued | None:
        one, other = await self._one.issued(lease_id), await self._other.issued(lease_id)
        assert (one and (one.claims, one.processes, sorted(one.holders))) == (
            other and (other.claims, other.processes, sorted(other.holders))
        )
        return one

    async def accept(self, acceptance: Acceptance) -> Accepted:
        return await _same(self._one.accept(acceptance), self._other.accept(acceptance))

    async def settle(self, settlement: Settlement) -> tuple[Settled, Freed | None]:
        return await _same(self._one.settle(settlement), self._other.settle(settlement))

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        return await _same(self._one.release(lease_id), self._other.release(lease_id))

    async def cancel(self, lease_id: Identity) -> Freed | None:
        return await _same(self._one.cancel(lease_id), self._other.cancel(lease_id))

    async def lose(self, process: Process) -> Sequence[Freed]:
        one, other = await self._one.lose(process), await self._other.lose(process)
        assert sorted(one, key=str) == sorted(other, key=str)
        return one

    async def expire(self) -> Sequence[Freed]:
        one, other = await self._one.expire(), await self._other.expire()
        assert sorted(one, key=str) == sorted(other, key=str)
        return one

    def is_lent_here(self, lease_id: Identity) -> bool:
        return self._one.is_lent_here(lease_id)

    async def close(self) -> None:
        await self._one.close()
        await self._other.close()


async def _same(one: Coroutine[Any, Any, Got], other: Coroutine[Any, Any, Got]) -> Got:
    answers = [await _outcome(one), await _outcome(other)]
    assert answers[0] == answers[1], answers
    if isinstance(answers[0], _Refusal):
        raise answers[0].error
    got: Got = answers[0]
    return got


class _Refusal:
    def __init__(self, error: ComptoirError) -> None:
        self.error = error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Refusal) and self._said == other._said

    __hash__ = None  # type: ignore[assignment] # it is compared, and no more

    def __repr__(self) -> str:
        return str(self._said)

    @property
    def _said(self) -> tuple[object, ...]:
        error = self.error
        quota = error.quota and astuple(error.quota)
        return error.reason, error.numbers, error.retry_after_seconds, quota


async def _outcome(call: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await call
    except ComptoirError as error:
        return _Refusal(error)
