"""What a router lends by itself while the store is away: its share, in memory, and a journal of all of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.adapters.due_leases import over
from services.router.adapters.lease_journal import Cancellation, LeaseJournal, Loss, Release
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.amount import NOTHING
from services.router.domain.lease import (
    NOBODY,
    Acceptance,
    Accepted,
    Freed,
    Issue,
    Lease,
    Process,
    Reservation,
    Settled,
    Settlement,
    lease_of,
)
from services.router.domain.local_share import ShareAccounts, shares_of
from services.router.domain.quota import Payer, Quotas

_RETRY_SECONDS: Final = 1.0
_NO_PROCESS: Final = Process(0, 0)


def unavailable() -> ComptoirError:
    """Returns the refusal of what this router may not lend by itself."""
    return ComptoirError(Reason.QUOTA_UNAVAILABLE, retry_after_seconds=_RETRY_SECONDS)


class Running(NamedTuple):
    """Places that a lease of a share has, whose they are, and until when at most."""

    payer: Payer
    places: int
    until_seconds: float


class LocalLeases(MemoryLeases):
    """Leases of this router's share; each change is noted, so that the store can be told."""

    def __init__(
        self, clock: Clock, journal: LeaseJournal, running: Sequence[Running] = (), *, routers: int
    ) -> None:
        super().__init__(clock)
        self._accounts = ShareAccounts(clock)
        self._running = running
        for one in running:
            for _ in range(one.places):
                self._accounts.occupy(one.payer)
        self._journal = journal
        self._routers = routers

    def knows(self, lease_id: Identity, ticket_id: Identity = NOBODY) -> bool:
        """Tells whether a lease was lent here and is not over, or a ticket has ended here."""
        return self._leases.get(lease_id) is not None or (ticket_id.is_set and ticket_id in self._ended)

    def running(self) -> dict[Identity, Running]:
        """Returns the places of the leases that are not over."""
        return {
            lease.lease_id: Running(
                lease.payer,
                lease.is_reserved + len(lease.accepted),
                max(
                    [lease.expires_at_seconds, *(hold.expires_at_seconds for hold in lease.accepted.values())]
                ),
            )
            for lease in self._leases.all()
        }

    async def reserve(self, reservation: Reservation) -> QuotaState:
        """Lends of the share; QUOTA_UNAVAILABLE where there is none, or none so large."""
        shares = self._shares(reservation.quotas, reservation.amount.tokens)
        state = await super().reserve(replace(reservation, quotas=shares))
        self._journal.note(reservation, self._now() + reservation.lasts_seconds)
        return state

    async def spend_request(self, payer: Payer, quotas: Quotas) -> QuotaState:
        """Takes a request of the share."""
        state = await super().spend_request(payer, self._shares(quotas, 0))
        # Told as a lease that used nothing.
        lease_id = lease_of(payer.tenant)
        self._journal.note(Reservation(lease_id, payer, quotas, NOTHING, 0.0))
        self._journal.note(Settlement(lease_id, Identity.random(), payer, NOTHING, _NO_PROCESS))
        return state

    async def issue(self, issue: Issue) -> bool:
        """Notes a ticket before it is signed, and asks the share where it asks."""
        shares = None if issue.quotas is None else self._shares(issue.quotas, 0)
        is_anew = await super().issue(replace(issue, quotas=shares))
        self._journal.note(issue, self._now() + issue.lasts_seconds)
        return is_anew

    async def accept(self, acceptance: Acceptance) -> Accepted:
        """Binds a ticket to the process that accepted it."""
        found = await super().accept(acceptance)
        if found not in (Accepted.KNOWN, Accepted.ENDED):
            self._journal.note(acceptance, self._now() + acceptance.lasts_seconds)
        return found

    async def settle(self, settlement: Settlement) -> tuple[Settled, Freed | None]:
        """Replaces what a ticket holds by what was used."""
        found, freed = await super().settle(settlement)
        if found is not Settled.ENDED:
            self._journal.note(settlement)
        if found is Settled.OPEN and not self.knows(settlement.lease_id):
            self._journal.shorten(settlement.lease_id)
        return found, freed

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        """Gives an unused lease back once its tickets are dead."""
        self._journal.note(Release(lease_id))
        return await super().release(lease_id)

    async def cancel(self, lease_id: Identity) -> Freed | None:
        """Undoes a lease of which no ticket left the router."""
        self._journal.note(Cancellation(lease_id))
        return await super().cancel(lease_id)

    async def lose(self, process: Process) -> Sequence[Freed]:
        """Frees the places of what a process accepted that is gone; the store hears of it too."""
        freed = await super().lose(process)
        self._journal.note(Loss(process, frozenset(one.holder for one in freed)))
        return freed

    async def expire(self) -> Sequence[Freed]:
        """Frees what ended, and places from before whose time is over: that they ended nobody can tell."""
        now_seconds = self._now()
        for one in self._running:
            if one.until_seconds <= now_seconds:
                for _ in range(one.places):
                    self._accounts.vacate(one.payer)
        self._running = [one for one in self._running if one.until_seconds > now_seconds]
        return await super().expire()

    def _expire(self, lease: Lease, now_seconds: float) -> list[Freed]:
        held = [(ticket_id, lease.accepted[ticket_id]) for ticket_id in over(lease.accepted, now_seconds)]
        freed = super()._expire(lease, now_seconds)
        # It ends in the store too when that is told, and not once more by its time, where all routers count.
        for ticket_id, hold in held:
            used = Settlement(lease.lease_id, ticket_id, lease.payer, hold.held.amount, hold.process)
            self._journal.note(used)
        if any(one.holder == lease.lease_id for one in freed):
            self._journal.note(Release(lease.lease_id))
        if lease.is_over:
            self._journal.shorten(lease.lease_id)
        return freed

    def _shares(self, quotas: Quotas, tokens: int) -> Quotas:
        shares = None if self._journal.is_full else shares_of(quotas, tokens, self._routers)
        if shares is None:
            raise unavailable()
        return shares
