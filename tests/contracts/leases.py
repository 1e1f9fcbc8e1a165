"""Leases, tickets and what is said of them, as the promises of every lease store use them."""

from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import TypeAlias

import pytest

from services.contract.ticket import TicketClaims
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.amount import Amount
from services.router.domain.lease import (
    PARTITIONS,
    Acceptance,
    Accepted,
    Issue,
    Process,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Payer, Quotas
from services.router.domain.tenancy import UNLIMITED, Quota

RESERVED_SECONDS, ACCEPTED_SECONDS = 12.0, 600.0
# Its leases are those whose upper half is a multiple of PARTITIONS.
TENANT = PARTITIONS
PAYER = Payer(TENANT, 1)
QUOTA = Quota(requests_per_minute=3, tokens_per_minute=600, concurrency=2)

Wait: TypeAlias = Callable[[float], Awaitable[None]]


def lease(
    number: int,
    *,
    tokens: int = 100,
    nanos: int = 0,
    quota: Quota = QUOTA,
    of_tenant: Quota = UNLIMITED,
    key: int = 1,
) -> Reservation:
    quotas, amount = Quotas(quota, of_tenant), Amount(tokens, nanos)
    return Reservation(Identity(0, number), Payer(TENANT, key), quotas, amount, RESERVED_SECONDS)


def ticket(number: int, attempt: int = 1) -> Identity:
    """The ticket of a lease for the replica with the number of the attempt."""
    return Identity(attempt, number)


def claims(number: int, attempt: int = 1) -> TicketClaims:
    """What the ticket of a lease says; nothing of it but identities and its attempt is a store's matter."""
    some = dict.fromkeys((field.name for field in fields(TicketClaims)), 1)
    identities = {
        "ticket_id": ticket(number, attempt),
        "lease_id": Identity(0, number),
        "request_id": Identity(3, number),
    }
    return TicketClaims(**{**some, **identities, "attempt": attempt})  # type: ignore[arg-type] # by name


async def sign(leases: LeaseStore, number: int, attempt: int, quota: Quota | None = None) -> bool:
    """The ticket of a lease with that attempt, for the replica with the same number."""
    quotas = None if quota is None else Quotas(quota, UNLIMITED)
    return await leases.issue(Issue(claims(number, attempt), process(attempt), RESERVED_SECONDS, quotas))


async def issue(leases: LeaseStore, number: int, attempts: int = 1) -> None:
    for attempt in range(1, attempts + 1):
        assert await sign(leases, number, attempt) is False


async def unsigned(leases: LeaseStore, number: int, attempt: int) -> None:
    with pytest.raises(ComptoirError) as refusal:
        await sign(leases, number, attempt)
    assert refusal.value.reason is Reason.LEASE_ENDED


def process(attempt: int = 1) -> Process:
    return Process(attempt, 70 + attempt)


async def accept(leases: LeaseStore, number: int, attempt: int = 1) -> Accepted:
    lease_id, ticket_id = Identity(0, number), ticket(number, attempt)
    acceptance = Acceptance(lease_id, ticket_id, PAYER, Amount(100), process(attempt), ACCEPTED_SECONDS)
    return await leases.accept(acceptance)


async def settle(
    leases: LeaseStore,
    number: int,
    tokens: int,
    attempt: int = 1,
    *,
    nanos: int = 0,
    key: int = 1,
    is_unserved: bool = False,
) -> Settled:
    lease_id, ticket_id = Identity(0, number), ticket(number, attempt)
    payer, used = Payer(TENANT if key else 0, key), Amount(tokens, nanos)
    settlement = Settlement(lease_id, ticket_id, payer, used, process(attempt), is_unserved)
    found, freed = await leases.settle(settlement)
    assert (freed is not None) == (found is Settled.OPEN)
    return found


def called_back(number: int, attempt: int) -> Settlement:
    """What a replica says of a lease that is called back, of which it accepted no ticket."""
    lease_id, nobody = Identity(0, number), Identity(0, 0)
    return Settlement(lease_id, nobody, Payer(0, 0), Amount(0), process(attempt), is_unserved=True)


async def remaining_tokens(leases: LeaseStore) -> int:
    """What is left of the key's tokens, asked in a way that leaves no trace."""
    state = await leases.reserve(
        lease(10**6, tokens=0, quota=Quota(requests_per_minute=0, tokens_per_minute=600, concurrency=0))
    )
    await leases.cancel(Identity(0, 10**6))
    return state.remaining_tokens


async def reserve(leases: LeaseStore, number: int, **fields: int) -> QuotaState:
    return await leases.reserve(lease(number, **fields))  # type: ignore[arg-type]


async def refusal_of(leases: LeaseStore, reservation: Reservation) -> ComptoirError:
    with pytest.raises(ComptoirError) as refusal:
        await leases.reserve(reservation)
    return refusal.value
