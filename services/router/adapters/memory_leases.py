"""Leases in this process's memory: for one router.

A restart forgets them: the minute of every quota is full again, and days and months are read from records.
"""

from collections.abc import Sequence

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState, Spending
from services.router.adapters.due_leases import over
from services.router.adapters.kept_leases import KeptLeases
from services.router.adapters.remembered_tickets import MAX_REMEMBERED, RememberedTickets
from services.router.domain.accounts import Accounts
from services.router.domain.amount import NOTHING
from services.router.domain.lease import (
    HANDED_BACK_SECONDS,
    Acceptance,
    Accepted,
    Earlier,
    Ending,
    Freed,
    Hold,
    Issue,
    Issued,
    Lease,
    Process,
    RequestPart,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.quota import Held, Payer, Quotas
from services.router.domain.spending import Subject, SubjectKind
from services.router.domain.spending_book import SpendingBook


class MemoryLeases:
    """The lease store of a single router; each call is one step of the event loop, so it is atomic.

    Leases are reserved, then accepted, released or expired, then free; whichever end comes first is the one
    that counts. A reservation ends with its tickets. Until then it stays reserved even if it was released,
    since a ticket cannot be called back. An accepted ticket holds its place until it is settled or its
    process is gone. Whatever is accepted without a reservation is charged all the same.
    """

    def __init__(
        self, clock: Clock, book: SpendingBook | None = None, *, most_remembered: int = MAX_REMEMBERED
    ) -> None:
        self._clock = clock
        self._accounts = Accounts(clock, book or SpendingBook())
        self._leases = KeptLeases()
        self._ended = RememberedTickets(most_remembered)

    @property
    def in_flight(self) -> int:
        """Returns how many places are taken."""
        return self._accounts.in_flight

    async def reserve(self, reservation: Reservation) -> QuotaState:
        """Lends all that the reservation asks for, or nothing and raises which limit is spent."""
        payer, quotas, amount = reservation.payer, reservation.quotas, reservation.amount
        await self._accounts.informed(payer, quotas)
        if reservation.is_lent and self._has_taken(reservation.lease_id):
            return self._accounts.state(payer, quotas)
        earlier = self._leases.earlier(payer, reservation.request)
        is_again = reservation.is_again and earlier is not None
        lend = self._accounts.lend_behind if reservation.is_lent else self._accounts.lend
        lend = self._accounts.lend_unasked if is_again else lend
        state, held = lend(payer, quotas, amount)
        lease = Lease(reservation.lease_id, payer, held, self._now() + reservation.lasts_seconds)
        lease.request = reservation.request
        if earlier is not None:
            lease.earlier, earlier.is_followed = earlier.lease_id, is_again
            if is_again:
                lease.again = earlier.again + 1
                # One of the two goes on: another ticket of the earlier one would run beyond the quota.
                earlier.last = None
        self._leases.add(lease)
        return state

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        """Returns what a key used in the day and the month of now, or its tenant where no key is given."""
        subject = Subject(SubjectKind.KEY, key) if key else Subject(SubjectKind.TENANT, tenant)
        return await self._accounts.spending(subject)

    async def earlier(self, payer: Payer, request: RequestPart) -> Earlier | None:
        """Returns the lease that a request of the key had, unless it goes on by another one already."""
        lease = self._leases.earlier(payer, request)
        return None if lease is None else Earlier(lease.lease_id, lease.holders)

    async def spend_request(self, payer: Payer, quotas: Quotas) -> QuotaState:
        """Takes a request without tokens, place or lease; raises as `reserve` does."""
        return self._accounts.spend_request(payer, quotas)

    async def issue(self, issue: Issue) -> bool:
        """Notes a ticket before it is signed; reserves anew for it where the lease is accepted already."""
        claims, lease = issue.claims, self._leases.get(issue.claims.lease_id)
        if issue.quotas is not None and lease is not None:
            await self._accounts.informed(lease.payer, issue.quotas)
            lease = self._leases.get(claims.lease_id)
        if lease is None or not lease.is_next(claims):
            raise ComptoirError(Reason.LEASE_ENDED)
        is_anew = not lease.is_reserved
        if is_anew:
            lease.held = self._held_anew(lease, issue.quotas)
            lease.is_reserved = True
        lease.note(issue, self._now())
        self._leases.will_end(lease, lease.expires_at_seconds)
        return is_anew

    async def issued(self, lease_id: Identity) -> Issued | None:
        """Returns what another ticket is drafted from; None where none of the lease is to be signed."""
        lease = self._leases.get(lease_id)
        if lease is None or lease.last is None or not lease.may_go_on:
            return None
        holders = tuple(hold.process for hold in lease.accepted.values())
        return Issued(lease.last, lease.processes, holders)

    async def accept(self, acceptance: Acceptance) -> Accepted:
        """Binds a ticket to the process that accepted it; it takes the reservation, or is charged anew."""
        ticket_id, now_seconds = acceptance.ticket_id, self._now()
        if ticket_id in self._ended:
            return Accepted.ENDED
        lease = self._leases.get(acceptance.lease_id)
        if lease is None:
            lease = Lease(acceptance.lease_id, acceptance.payer, Held(), now_seconds, is_reserved=False)
            self._leases.add(lease)
        if ticket_id in lease.accepted:
            return Accepted.KNOWN
        lease.issued.pop(ticket_id, None)
        lease.accepted[ticket_id], found = self._taken(lease, acceptance, now_seconds)
        self._leases.will_end(lease, lease.accepted[ticket_id].expires_at_seconds)
        return found

    async def settle(self, settlement: Settlement) -> tuple[Settled, Freed | None]:
        """Replaces what a ticket holds by what was used; safe to repeat."""
        lease, now_seconds = self._leases.get(settlement.lease_id), self._now()
        ticket_id = settlement.ticket_id
        if lease is not None and not ticket_id.is_set:
            ticket_id = lease.ticket_on(settlement.process.replica)
        if ticket_id in self._ended:
            return Settled.ENDED, None
        if ticket_id.is_set:
            self._ended.add(ticket_id, now_seconds)
        if lease is None:
            self._accounts.charge(settlement.payer, settlement.charged)
            return Settled.NOTHING, None
        lease.issued.pop(ticket_id, None)
        outcome = self._settle(lease, ticket_id, settlement, now_seconds)
        self._leases.drop_if_over(lease)
        return outcome

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        """Gives an unused lease back once its tickets are dead; False if accepted, released or over.

        Its request stays counted.
        """
        lease = self._leases.get(lease_id)
        if lease is not None:
            # Also where a replica has accepted it: if that hands it back, nobody waits for another ticket.
            lease.last = None
        if lease is None or not lease.is_reserved or lease.accepted or lease.lost:
            return False, None
        is_first, lease.is_released = not lease.is_released, True
        if lease.issued:
            return is_first, None
        return is_first, self._end_reservation(lease, Ending.RELEASED)

    async def cancel(self, lease_id: Identity) -> Freed | None:
        """Undoes a reservation of which no ticket left the router, its request included."""
        lease = self._leases.get(lease_id)
        if lease is None or not lease.is_reserved or lease.accepted or lease.lost:
            return None
        if not lease.again:
            self._accounts.give_request(lease.payer)
        elif (earlier := self._leases.get(lease.earlier)) is not None:
            earlier.is_followed = False
        return self._end_reservation(lease, Ending.CANCELLED)

    async def lose(self, process: Process) -> Sequence[Freed]:
        """Frees the places of what a process accepted, with the tokens charged until a settlement comes."""
        return [freed for lease in self._leases.all() for freed in self._lose(lease, process)]

    async def expire(self) -> Sequence[Freed]:
        """Frees what nobody accepted, with its tokens, and what nobody settled, with its tokens charged.

        Each lease in one step; others have their turn between many.
        """
        freed: list[Freed] = []
        async for lease_id in self._leases.over(self._now):
            if (lease := self._leases.get(lease_id)) is not None:
                freed += self._expire(lease, self._now())
        self._leases.shrink()
        self._ended.forget(self._now())
        self._accounts.forget_idle()
        return freed

    def is_lent_here(self, _lease_id: Identity, /) -> bool:
        """Tells that no other router knows any lease."""
        return True

    async def close(self) -> None:
        """Closes nothing."""

    def _now(self) -> float:
        return self._clock.monotonic_seconds()

    def _has_taken(self, lease_id: Identity) -> bool:
        """Tells whether a lease that a router lent by itself was told before, and remembers it."""
        if self._leases.get(lease_id) is not None or lease_id in self._ended:
            return True
        self._ended.add(lease_id, self._now())
        return False

    def _held_anew(self, lease: Lease, quotas: Quotas | None) -> Held:
        if quotas is not None and lease.accepted:
            return self._accounts.lend_again(lease.payer, quotas, lease.held.amount)
        return self._accounts.hold(lease.payer, lease.held.amount)

    def _taken(self, lease: Lease, acceptance: Acceptance, now_seconds: float) -> tuple[Hold, Accepted]:
        lost = lease.lost.pop(acceptance.ticket_id, None)
        if lost is not None:
            self._accounts.occupy(lease.payer)
            return lost, Accepted.LOST
        expires_at_seconds = now_seconds + acceptance.lasts_seconds
        if lease.is_reserved:
            lease.is_reserved = False
            return Hold(acceptance.process, lease.held, expires_at_seconds), Accepted.RESERVED
        held = self._accounts.hold(lease.payer, acceptance.permitted)
        return Hold(acceptance.process, held, expires_at_seconds), Accepted.NOTHING

    def _settle(
        self, lease: Lease, ticket_id: Identity, settlement: Settlement, now_seconds: float
    ) -> tuple[Settled, Freed | None]:
        used = settlement.charged
        lost = lease.lost.pop(ticket_id, None)
        if lost is not None:
            self._accounts.settle(lease.payer, lost.held, used)
            return Settled.LOST, None
        hold, holder = lease.accepted.pop(ticket_id, None), ticket_id
        if hold is None:
            if not lease.is_reserved:
                self._accounts.charge(lease.payer, used)
                return Settled.NOTHING, None
            lease.is_reserved, holder = False, lease.lease_id
            hold = Hold(settlement.process, lease.held, lease.expires_at_seconds)
        if settlement.is_unserved and not lease.is_reserved and (lease.issued or lease.may_go_on):
            lease.is_reserved, lease.held = True, hold.held
            if not lease.issued:
                lease.expires_at_seconds = now_seconds + HANDED_BACK_SECONDS
            self._leases.will_end(lease, lease.expires_at_seconds)
            return Settled.HANDED_BACK, None
        self._accounts.settle(lease.payer, hold.held, used)
        return Settled.OPEN, self._free(lease, Ending.SETTLED, holder)

    def _lose(self, lease: Lease, process: Process) -> list[Freed]:
        freed = []
        for ticket_id in [one for one, hold in lease.accepted.items() if hold.process == process]:
            lease.lost[ticket_id] = lease.accepted.pop(ticket_id)
            freed.append(self._free(lease, Ending.LOST, ticket_id))
        for ticket_id in [one for one, holder in lease.issued.items() if holder == process]:
            del lease.issued[ticket_id]
            lease.is_doubtful = True
            if lease.is_reserved and not lease.issued:
                freed.append(self._end_reservation(lease, Ending.LOST))
        return freed

    def _expire(self, lease: Lease, now_seconds: float) -> list[Freed]:
        freed = []
        for ticket_id in over(lease.accepted, now_seconds):
            self._keep_charged(lease, lease.accepted.pop(ticket_id))
            self._ended.add(ticket_id, now_seconds)
            freed.append(self._free(lease, Ending.EXPIRED, ticket_id))
        for ticket_id in over(lease.lost, now_seconds):
            self._keep_charged(lease, lease.lost.pop(ticket_id))
            self._ended.add(ticket_id, now_seconds)
        if lease.is_reserved and lease.expires_at_seconds <= now_seconds:
            freed.append(
                self._end_reservation(lease, Ending.RELEASED if lease.is_released else Ending.EXPIRED)
            )
        self._leases.drop_if_over(lease)
        return freed

    def _keep_charged(self, lease: Lease, hold: Hold) -> None:
        self._accounts.settle(lease.payer, hold.held, hold.held.amount)

    def _end_reservation(self, lease: Lease, ending: Ending) -> Freed:
        lease.is_reserved = False
        # What may have been accepted by a process that is gone is as good as used.
        used = lease.held.amount if lease.is_doubtful else NOTHING
        self._accounts.settle(lease.payer, lease.held, used)
        self._leases.drop_if_over(lease)
        return self._free(lease, ending, lease.lease_id)

    def _free(self, lease: Lease, ending: Ending, holder: Identity) -> Freed:
        self._accounts.vacate(lease.payer)
        return Freed(ending, lease.payer, holder)
