"""Leases in Redis or Valkey: for all routers that share it; each call is one function of the server.

The clock is the server's, and so is the arithmetic of what comes back; what an answer says of it is the
domain's, as for leases in memory. What was spent in a day and a month it keeps as long as it lasts, and says
with each change; what it does not know any more is read from the records and told to it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState, Spending
from services.router.adapters.doubtful_reservations import DoubtfulReservations
from services.router.adapters.lease_answers import (
    freed_of,
    identity_of,
    limits,
    milliseconds,
    moment_of,
    named,
    named_request,
    named_subject,
    process_of,
    sides_of,
    spending_of,
)
from services.router.adapters.lease_calls import LeaseCalls, UnreadableValueError, away
from services.router.adapters.redis_spending import RedisSpending
from services.router.domain.amount import Amount
from services.router.domain.gone_processes import HEARD_SECONDS
from services.router.domain.lease import (
    PARTITIONS,
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
    partition_of,
)
from services.router.domain.quota import Payer, Quotas, check, state_of
from services.router.domain.spending import Subject, SubjectKind
from services.router.domain.spending_book import SpendingBook
from services.router.wire.tickets import claims_bytes, claims_of

_LENT: Final = 1
# The partition that has what belongs to no tenant.
_OF_ALL: Final = 0
_NOT_NEXT: Final = -1
_UNKNOWN: Final = -2
# A day may be over while it is read what was used in it.
_MOST_TURNS: Final = 3
_NO_LIMITS: Final = [0] * 12
# More than one call ends at once: the others are asked again.
_MOST_ENDS: Final = 500


class RedisLeases:
    """The lease store of all routers of a region; a call that cannot be made raises QUOTA_UNAVAILABLE."""

    def __init__(self, calls: LeaseCalls, book: SpendingBook | None = None) -> None:
        self._calls = calls
        # As which the other routers know this one.
        self._own = Identity.random().hex
        self._spending = RedisSpending(calls, book or SpendingBook())
        self._doubtful = DoubtfulReservations()

    async def reserve(self, reservation: Reservation) -> QuotaState:
        """Lends all that the reservation asks for, or nothing and raises which limit is spent."""
        lease_id, payer, quotas = reservation.lease_id, reservation.payer, reservation.quotas
        partition = partition_of(lease_id.high)
        asked: tuple[str | bytes | int, ...] = (
            lease_id.hex,
            *payer,
            *reservation.amount,
            milliseconds(reservation.lasts_seconds),
            named_request(reservation.request),
            int(reservation.is_again),
            *limits(quotas),
            int(reservation.is_lent),
        )
        self._doubtful.forget(lease_id)
        try:
            is_lent, *rest = await self._informed("reserve", partition, payer, asked)
        except (asyncio.CancelledError, ComptoirError):
            # What a router lent by itself stays lent: it is told again.
            if not reservation.is_lent:
                self._undo_behind(lease_id)
            raise
        at_milliseconds, *levels = rest
        sides = sides_of(quotas, levels)
        if is_lent != _LENT:
            check(sides, 1, reservation.amount, moment_of(at_milliseconds))
            raise away()
        return state_of(sides)

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        """Returns what a key used in the day and the month of now, or its tenant where no key is given."""
        subject = Subject(SubjectKind.KEY, key) if key else Subject(SubjectKind.TENANT, tenant)
        partition = partition_of(tenant)
        for _ in range(_MOST_TURNS):
            found = await self._calls.call("spending", partition, *named_subject(subject))
            day, is_known, *_ = found
            if is_known:
                return spending_of(found)
            await self._spending.learn({subject: partition}, day)
        raise away()

    async def earlier(self, payer: Payer, request: RequestPart) -> Earlier | None:
        """Returns the lease that a request of the key had, unless it goes on by another one already."""
        if not request.request_id.is_set:
            return None
        partition = partition_of(payer.tenant)
        found = await self._calls.call("earlier", partition, payer.key, named_request(request))
        if found is None:
            return None
        lease_id, holders = found
        return Earlier(identity_of(lease_id), tuple(map(process_of, holders)))

    async def spend_request(self, payer: Payer, quotas: Quotas) -> QuotaState:
        """Takes a request without tokens, place or lease; raises as `reserve` does."""
        partition, asked = partition_of(payer.tenant), (payer.key, *limits(quotas))
        is_lent, at_milliseconds, *levels = await self._calls.call(
            "spend_request", partition, payer.tenant, *asked
        )
        sides = sides_of(quotas, levels)
        if is_lent != _LENT:
            check(sides, 1, None, moment_of(at_milliseconds))
            raise away()
        return state_of(sides)

    async def issue(self, issue: Issue) -> bool:
        """Notes a ticket before it is signed; reserves anew for it where the lease is accepted already."""
        claims, quotas = issue.claims, issue.quotas
        asked: tuple[str | bytes | int, ...] = (
            claims.lease_id.hex,
            claims.attempt,
            claims.ticket_id.hex,
            named(issue.process),
            claims_bytes(claims),
            milliseconds(issue.lasts_seconds),
            int(quotas is not None),
            *(limits(quotas) if quotas is not None else _NO_LIMITS),
        )
        partition, payer = partition_of(claims.lease_id.high), Payer(claims.tenant, claims.key)
        found, *rest = await self._informed("issue", partition, payer, asked)
        if found == _NOT_NEXT or (found != _LENT and quotas is None):
            raise ComptoirError(Reason.LEASE_ENDED)
        if found != _LENT and quotas is not None:
            at_milliseconds, amount, *levels = rest
            check(sides_of(quotas, levels), 0, Amount(*amount), moment_of(at_milliseconds))
            raise away()
        return bool(rest[0])

    async def issued(self, lease_id: Identity) -> Issued | None:
        """Returns what another ticket is drafted from; None where none of the lease is to be signed."""
        found = await self._calls.call("issued", partition_of(lease_id.high), lease_id.hex)
        if found is None:
            return None
        claims, processes, holders = found
        return Issued(claims_of(claims), tuple(map(process_of, processes)), tuple(map(process_of, holders)))

    async def accept(self, acceptance: Acceptance) -> Accepted:
        """Binds a ticket to the process that accepted it; it takes the reservation, or is charged anew."""
        found = await self._calls.call(
            "accept",
            partition_of(acceptance.lease_id.high),
            acceptance.lease_id.hex,
            acceptance.ticket_id.hex,
            *acceptance.payer,
            *acceptance.permitted,
            named(acceptance.process),
            milliseconds(acceptance.lasts_seconds),
        )
        return Accepted(found.decode())

    async def settle(self, settlement: Settlement) -> tuple[Settled, Freed | None]:
        """Replaces what a ticket holds by what was used; safe to repeat."""
        ticket_id, process = settlement.ticket_id, settlement.process
        found, *freed = await self._spending.spend(
            "settle",
            partition_of(settlement.lease_id.high),
            settlement.lease_id.hex,
            ticket_id.hex if ticket_id.is_set else "",
            *settlement.payer,
            *settlement.charged,
            named(process),
            process.replica,
            int(settlement.is_unserved),
        )
        return Settled(found.decode()), freed_of(freed[0] if freed else ())

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        """Gives an unused lease back once its tickets are dead; False if accepted, released or over."""
        partition = partition_of(lease_id.high)
        is_released, *freed = await self._spending.spend("release", partition, lease_id.hex)
        return bool(is_released), freed_of(freed[0] if freed else ())

    async def cancel(self, lease_id: Identity) -> Freed | None:
        """Undoes a reservation of which no ticket left the router, its request included.

        Where the store does not answer, it is undone later: its place is among those that `expire` returns.
        """
        try:
            return await self._cancel(lease_id)
        except ComptoirError:
            self._doubtful.note((lease_id,))
            return None

    async def lose(self, process: Process) -> Sequence[Freed]:
        """Frees the places of what a process accepted, with what it holds kept until a settlement comes."""
        gone = named(process)
        found = await asyncio.gather(*(self._end("lose", partition, gone) for partition in range(PARTITIONS)))
        return [freed for lost, _ in found for freed in lost]

    async def expire(self) -> Sequence[Freed]:
        """Frees what nobody accepted, with its tokens, and what nobody settled, with its tokens charged."""
        undone = await self._undo()
        found = await asyncio.gather(*(self._expire(partition) for partition in range(PARTITIONS)))
        await self._spending.learn_unknown()
        return [freed for ended in (undone, *found) for freed in ended]

    async def hear(self, processes: Sequence[Process]) -> None:
        """Says that this router hears processes, for HEARD_SECONDS."""
        if processes:
            await self._calls.call(
                "hear", _OF_ALL, self._own, milliseconds(HEARD_SECONDS), *map(named, processes)
            )

    async def is_heard_elsewhere(self, process: Process) -> bool:
        """Tells whether another router hears a process, which this one does not hear any more."""
        heard = await self._calls.call(
            "heard_elsewhere", _OF_ALL, self._own, milliseconds(HEARD_SECONDS), named(process)
        )
        return bool(heard)

    def is_lent_here(self, _lease_id: Identity, /) -> bool:
        """Tells that every router knows each lease."""
        return False

    async def close(self) -> None:
        """Closes the connections."""
        await self._calls.close()

    async def _cancel(self, lease_id: Identity) -> Freed | None:
        return freed_of(await self._spending.spend("cancel", partition_of(lease_id.high), lease_id.hex))

    def _undo_behind(self, lease_id: Identity) -> None:
        """Sends the end of a reservation behind it, if it is made at all; later where the server is away."""
        try:
            self._calls.tell("cancel", partition_of(lease_id.high), lease_id.hex)
        except ComptoirError:
            self._doubtful.note((lease_id,))

    async def _undo(self) -> list[Freed]:
        undone = self._doubtful.take(_MOST_ENDS)
        try:
            found = await asyncio.gather(*map(self._cancel, undone))
        except BaseException:
            self._doubtful.note(undone)
            raise
        return [freed for freed in found if freed is not None]

    async def _expire(self, partition: int) -> list[Freed]:
        ended, count = list[Freed](), _MOST_ENDS
        while count >= _MOST_ENDS:
            freed, count = await self._end("expire", partition)
            ended += freed
        return ended

    async def _end(self, function: str, partition: int, *asked: str) -> tuple[list[Freed], int]:
        """Returns what a function that ends leases freed, and of how many; what it cannot read waits."""
        try:
            count, unreadable, found = await self._spending.spend(function, partition, *asked)
        except UnreadableValueError:
            # The list of those that end: of this partition alone.
            return [], 0
        self._calls.note_unreadable(unreadable)
        return [one for freed in found if (one := freed_of(freed))], count

    async def _informed(
        self, function: str, partition: int, payer: Payer, asked: Sequence[str | bytes | int]
    ) -> Any:
        """Returns what a function answers that checks limits of a day or a month, once these are known."""
        for _ in range(_MOST_TURNS):
            found = await self._calls.call(function, partition, *asked)
            if found[0] != _UNKNOWN:
                return found
            _, day, *of = found
            tenant, key = map(int, of) if of else payer
            subjects = (Subject(SubjectKind.KEY, key), Subject(SubjectKind.TENANT, tenant))
            await self._spending.learn({subject: partition for subject in subjects if subject.number}, day)
        raise away()
