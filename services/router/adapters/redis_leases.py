"""Leases in Redis or Valkey: for all routers that share it; each call is one function of the server.

The clock is the server's, and so is the arithmetic of what comes back; what an answer says of it is the
domain's, as for leases in memory.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.adapters.lease_calls import LeaseCalls, away
from services.router.domain.bucket import Bucket
from services.router.domain.gone_processes import HEARD_SECONDS
from services.router.domain.lease import (
    NO_REQUEST,
    PARTITIONS,
    Acceptance,
    Accepted,
    Earlier,
    Ending,
    Freed,
    Issue,
    Issued,
    Process,
    RequestPart,
    Reservation,
    Settled,
    Settlement,
    partition_of,
)
from services.router.domain.quota import Account
from services.router.domain.tenancy import Quota
from services.router.wire.tickets import claims_bytes, claims_of

_LENT: Final = 1
# The partition that has what belongs to no tenant.
_OF_ALL: Final = 0
_NOT_NEXT: Final = -1
_NO_QUOTA: Final = (0, 0, 0)
# More than one call ends at once: the others are asked again.
_MOST_ENDS: Final = 500


class RedisLeases:
    """The lease store of all routers of a region; a call that cannot be made raises QUOTA_UNAVAILABLE."""

    def __init__(self, calls: LeaseCalls) -> None:
        self._calls = calls
        # As which the other routers know this one.
        self._own = Identity.random().hex

    async def reserve(self, reservation: Reservation) -> QuotaState:
        """Lends all that the reservation asks for, or nothing and raises which part of the quota is spent."""
        lease_id, quota, tokens = reservation.lease_id, reservation.quota, reservation.tokens
        partition = partition_of(lease_id.high)
        try:
            is_lent, *rest = await self._calls.call(
                "reserve",
                partition,
                lease_id.hex,
                reservation.key,
                *_limits(quota),
                tokens,
                _milliseconds(reservation.lasts_seconds),
                _request(reservation.request),
                int(reservation.is_again),
            )
        except asyncio.CancelledError:
            # Its caller went away: behind the reservation, if that is made at all, goes its end. Where the
            # store is away, its time ends it.
            with contextlib.suppress(ComptoirError):
                self._calls.tell("cancel", partition, lease_id.hex)
            raise
        account, in_flight = _account(quota, rest)
        if is_lent != _LENT:
            account.check_minute(1, tokens)
            account.check_place(quota.concurrency, in_flight)
            raise away()
        return account.state()

    async def earlier(self, tenant: int, key: int, request: RequestPart) -> Earlier | None:
        """Returns the lease that a request of the key had, unless it goes on by another one already."""
        if not request.request_id.is_set:
            return None
        found = await self._calls.call("earlier", partition_of(tenant), key, _request(request))
        if found is None:
            return None
        lease_id, holders = found
        return Earlier(_identity(lease_id), tuple(map(_process, holders)))

    async def spend_request(self, tenant: int, key: int, quota: Quota) -> QuotaState:
        """Takes a request without tokens, place or lease; raises as `reserve` does."""
        limits = _limits(quota)[:2]
        is_lent, *rest = await self._calls.call("spend_request", partition_of(tenant), key, *limits)
        account, _ = _account(quota, rest)
        if is_lent != _LENT:
            account.check_minute(1, None)
            raise away()
        return account.state()

    async def issue(self, issue: Issue) -> bool:
        """Notes a ticket before it is signed; reserves anew for it where the lease is accepted already."""
        claims, quota = issue.claims, issue.quota
        found, *rest = await self._calls.call(
            "issue",
            partition_of(claims.lease_id.high),
            claims.lease_id.hex,
            claims.attempt,
            claims.ticket_id.hex,
            _named(issue.process),
            claims_bytes(claims),
            _milliseconds(issue.lasts_seconds),
            int(quota is not None),
            *(_limits(quota) if quota is not None else _NO_QUOTA),
        )
        if found == _NOT_NEXT or (found != _LENT and quota is None):
            raise ComptoirError(Reason.LEASE_ENDED)
        if found != _LENT and quota is not None:
            *levels, tokens = rest
            account, in_flight = _account(quota, levels)
            account.check_minute(0, tokens)
            account.check_place(quota.concurrency, in_flight)
            raise away()
        return bool(rest[0])

    async def issued(self, lease_id: Identity) -> Issued | None:
        """Returns what another ticket is drafted from; None where none of the lease is to be signed."""
        found = await self._calls.call("issued", partition_of(lease_id.high), lease_id.hex)
        if found is None:
            return None
        claims, processes, holders = found
        return Issued(claims_of(claims), tuple(map(_process, processes)), tuple(map(_process, holders)))

    async def accept(self, acceptance: Acceptance) -> Accepted:
        """Binds a ticket to the process that accepted it; it takes the reservation, or is charged anew."""
        found = await self._calls.call(
            "accept",
            partition_of(acceptance.lease_id.high),
            acceptance.lease_id.hex,
            acceptance.ticket_id.hex,
            acceptance.key,
            acceptance.tokens,
            _named(acceptance.process),
            _milliseconds(acceptance.lasts_seconds),
        )
        return Accepted(found.decode())

    async def settle(self, settlement: Settlement) -> tuple[Settled, Freed | None]:
        """Replaces what a ticket holds by what was used; safe to repeat."""
        ticket_id, process = settlement.ticket_id, settlement.process
        found, *freed = await self._calls.call(
            "settle",
            partition_of(settlement.lease_id.high),
            settlement.lease_id.hex,
            ticket_id.hex if ticket_id.is_set else "",
            settlement.key,
            settlement.used_tokens,
            _named(process),
            process.replica,
            int(settlement.is_unserved),
        )
        return Settled(found.decode()), _freed(freed)

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        """Gives an unused lease back once its tickets are dead; False if accepted, released or over."""
        partition = partition_of(lease_id.high)
        is_released, *freed = await self._calls.call("release", partition, lease_id.hex)
        return bool(is_released), _freed(freed)

    async def cancel(self, lease_id: Identity) -> Freed | None:
        """Undoes a reservation of which no ticket left the router, its request included."""
        return _freed(await self._calls.call("cancel", partition_of(lease_id.high), lease_id.hex))

    async def lose(self, process: Process) -> Sequence[Freed]:
        """Frees the places of what a process accepted, with the tokens charged until a settlement comes."""
        found = await asyncio.gather(
            *(self._calls.call("lose", partition, _named(process)) for partition in range(PARTITIONS))
        )
        return [one for lost in found for freed in lost if (one := _freed(freed))]

    async def expire(self) -> Sequence[Freed]:
        """Frees what nobody accepted, with its tokens, and what nobody settled, with its tokens charged."""
        found = await asyncio.gather(*(self._expire(partition) for partition in range(PARTITIONS)))
        return [freed for ended in found for freed in ended]

    async def hear(self, processes: Sequence[Process]) -> None:
        """Says that this router hears processes, for HEARD_SECONDS."""
        if processes:
            await self._calls.call(
                "hear", _OF_ALL, self._own, _milliseconds(HEARD_SECONDS), *map(_named, processes)
            )

    async def is_heard_elsewhere(self, process: Process) -> bool:
        """Tells whether another router hears a process, which this one does not hear any more."""
        heard = await self._calls.call(
            "heard_elsewhere", _OF_ALL, self._own, _milliseconds(HEARD_SECONDS), _named(process)
        )
        return bool(heard)

    async def close(self) -> None:
        """Closes the connections."""
        await self._calls.close()

    async def _expire(self, partition: int) -> list[Freed]:
        ended: list[Freed] = []
        while True:
            count, found = await self._calls.call("expire", partition)
            ended.extend(one for freed in found if (one := _freed(freed)))
            if count < _MOST_ENDS:
                return ended


def _limits(quota: Quota) -> tuple[int, int, int]:
    return quota.requests_per_minute, quota.tokens_per_minute, quota.concurrency


def _account(quota: Quota, answer: Sequence[int]) -> tuple[Account, int]:
    """Returns what is left of a quota, which the server has refilled by its clock, and what is in flight."""
    requests_level, tokens_level, in_flight = answer
    requests = Bucket(quota.requests_per_minute, requests_level, 0)
    return Account(requests, Bucket(quota.tokens_per_minute, tokens_level, 0)), in_flight


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _request(request: RequestPart) -> str:
    return "" if request == NO_REQUEST else f"{request.request_id.hex}:{request.part}"


def _named(process: Process) -> str:
    return f"{process.replica}:{process.incarnation}"


def _process(name: bytes) -> Process:
    replica, incarnation = name.split(b":")
    return Process(int(replica), int(incarnation))


def _identity(text: bytes) -> Identity:
    return Identity(int(text[:16], 16), int(text[16:], 16))


def _freed(answer: Sequence[Any]) -> Freed | None:
    if not answer:
        return None
    ending, key, holder = answer
    return Freed(Ending(ending.decode()), int(key), _identity(holder))
