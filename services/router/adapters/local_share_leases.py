"""Leases of a store that routers share, of which each lends its share by itself while the store is away."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState, Spending
from services.router.adapters.lease_calls import UnreadableValueError
from services.router.adapters.lease_journal import MOST_LEASES, LeaseJournal
from services.router.adapters.local_leases import LocalLeases, Running, unavailable
from services.router.domain.gone_processes import ALONE, HEARD_SECONDS, Hearing
from services.router.domain.lease import (
    NOBODY,
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
from services.runtime.logs import get_logger

Got = TypeVar("Got")

# Steps in one round trip, and in one turn of the router's expiry, which waits for them.
_AT_ONCE: Final = 256
_IN_A_TURN: Final = 16_384
_log = get_logger(__name__)


class _Outage:
    """Since when the store has been away, what was lent here since, and what it has not been told of it."""

    def __init__(self, clock: Clock, running: Sequence[Running], routers: int, most_leases: int) -> None:
        self.began_seconds = clock.monotonic_seconds()
        self.journal = LeaseJournal(most_leases)
        self.local = LocalLeases(clock, self.journal, running, routers=routers)
        # Until all of it is on its way to the store.
        self.is_lending = True


class LocalShareLeases:
    """The shared store while it answers, else this router's share of each limit.

    A lease that was lent here is kept here until the store is back and knows all that happened to it, once.
    What is said of any other lease while the store is away is refused, and its replica says it again.
    """

    def __init__(
        self,
        shared: LeaseStore,
        clock: Clock,
        *,
        routers: int,
        hearing: Hearing = ALONE,
        most_leases: int = MOST_LEASES,
    ) -> None:
        self._shared = shared
        self._hearing = hearing
        self._clock = clock
        self._routers = routers
        self._most_leases = most_leases
        self._outage: _Outage | None = None
        # Of this router's share in an outage before: so many outages in a row lend no more than one does.
        self._running: dict[Identity, Running] = {}
        self._told = 0
        # The others need a moment to tell a store that is back whom they hear.
        self._hears_from_seconds = -math.inf
        self.lent_here = 0

    @property
    def away_seconds(self) -> float:
        """Returns for how long the store has been away, or has not heard all; 0 while it is there."""
        outage = self._outage
        return 0.0 if outage is None else self._clock.monotonic_seconds() - outage.began_seconds

    @property
    def untold(self) -> int:
        """Returns of how many leases the store is still to be told."""
        return 0 if self._outage is None else self._outage.journal.leases

    def is_lent_here(self, lease_id: Identity) -> bool:
        """Tells whether only this router knows the lease."""
        return self._outage is not None and self._outage.local.knows(lease_id)

    async def reserve(self, reservation: Reservation) -> QuotaState:
        """Lends all that the reservation asks for, of the store or of the share."""
        outage = self._outage
        if outage is None or not outage.is_lending:
            try:
                return await self._shared.reserve(reservation)
            except ComptoirError as error:
                outage = self._away(error)
        state = await outage.local.reserve(reservation)
        self.lent_here += 1
        return state

    async def spending(self, tenant: int, key: int = 0) -> Spending:
        """Returns what was used of the day and the month, which only the store knows."""
        return await self._ask(lambda: self._shared.spending(tenant, key))

    async def earlier(self, payer: Payer, request: RequestPart) -> Earlier | None:
        """Returns the lease that a request had: while the store is away, of those that were lent here."""
        if self._outage is not None:
            found = await self._outage.local.earlier(payer, request)
            if found is not None or self._outage.is_lending:
                return found
        return await self._ask(lambda: self._shared.earlier(payer, request))

    async def spend_request(self, payer: Payer, quotas: Quotas) -> QuotaState:
        """Takes a request without tokens, place or lease, of the store or of the share."""
        outage = self._outage
        if outage is None or not outage.is_lending:
            try:
                return await self._shared.spend_request(payer, quotas)
            except ComptoirError as error:
                outage = self._away(error)
        return await outage.local.spend_request(payer, quotas)

    async def issue(self, issue: Issue) -> bool:
        """Notes a ticket before it is signed, where its lease is."""
        return await self._ask(lambda: self._home(issue.claims.lease_id).issue(issue))

    async def issued(self, lease_id: Identity) -> Issued | None:
        """Returns what another ticket is drafted from."""
        return await self._ask(lambda: self._home(lease_id).issued(lease_id))

    async def accept(self, acceptance: Acceptance) -> Accepted:
        """Binds a ticket to the process that accepted it."""
        home = self._home
        return await self._ask(lambda: home(acceptance.lease_id, acceptance.ticket_id).accept(acceptance))

    async def settle(self, settlement: Settlement) -> tuple[Settled, Freed | None]:
        """Replaces what a ticket holds by what was used; safe to repeat."""
        home, lease_id = self._home, settlement.lease_id
        found, freed = await self._ask(lambda: home(lease_id, settlement.ticket_id).settle(settlement))
        self._end(lease_id, freed)
        return found, freed

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        """Gives an unused lease back once its tickets are dead."""
        is_released, freed = await self._ask(lambda: self._home(lease_id).release(lease_id))
        self._end(lease_id, freed)
        return is_released, freed

    async def cancel(self, lease_id: Identity) -> Freed | None:
        """Undoes a lease of which no ticket left the router."""
        outage = self._outage
        # One of before is undone by the shared store, once it is back.
        home = outage.local if outage is not None and outage.local.knows(lease_id) else self._shared
        freed = await self._ask(lambda: home.cancel(lease_id))
        self._end(lease_id, freed)
        return freed

    async def lose(self, process: Process) -> Sequence[Freed]:
        """Frees the places of what a process accepted that is gone; the store hears of it when it is back."""
        outage = self._outage
        if outage is None:
            try:
                return await self._shared.lose(process)
            except ComptoirError as error:
                outage = self._away(error)
        return await outage.local.lose(process)

    async def expire(self) -> Sequence[Freed]:
        """Frees what ended; while the store is away, asks whether it is back, and tells it what happened."""
        outage, freed, now_seconds = self._outage, list[Freed](), self._clock.monotonic_seconds()
        # Another router, or time, may have ended some of them.
        self._running = {
            lease_id: one for lease_id, one in self._running.items() if one.until_seconds > now_seconds
        }
        if outage is not None:
            freed += await outage.local.expire()
        try:
            freed += await self._shared.expire()
            if outage is not None:
                await self._tell(outage, freed)
        except ComptoirError as error:
            self._away(error)
        return freed

    async def hear(self, processes: Sequence[Process]) -> None:
        """Says that this router hears processes; while the store is away, nobody."""
        try:
            await self._hearing.hear(processes)
        except ComptoirError as error:
            self._miss_others(error)

    async def is_heard_elsewhere(self, process: Process) -> bool:
        """Tells whether another router hears a process: while that cannot be known, one may."""
        try:
            is_heard = await self._hearing.is_heard_elsewhere(process)
        except ComptoirError as error:
            self._miss_others(error)
            return True
        return is_heard or self._clock.monotonic_seconds() < self._hears_from_seconds

    def _miss_others(self, error: ComptoirError) -> None:
        self._away(error)
        self._hears_from_seconds = self._clock.monotonic_seconds() + HEARD_SECONDS

    async def close(self) -> None:
        """Tells the store what it has not heard, if it answers now, and closes connections."""
        if self._outage is not None:
            await self.expire()
        if self.untold:
            _log.error("local_leases_untold", count=self.untold)
        await self._shared.close()

    def _home(self, lease_id: Identity, ticket_id: Identity = NOBODY) -> LeaseStore:
        outage = self._outage
        if outage is None:
            return self._shared
        if outage.local.knows(lease_id, ticket_id):
            return outage.local
        if outage.is_lending:
            raise unavailable()
        return self._shared

    def _end(self, lease_id: Identity, freed: Freed | None) -> None:
        if freed is None or (one := self._running.pop(lease_id, None)) is None:
            return
        if one.places > 1:
            self._running[lease_id] = one._replace(places=one.places - 1)

    async def _ask(self, call: Callable[[], Awaitable[Got]]) -> Got:
        try:
            return await call()
        except ComptoirError as error:
            if _says_away(error):
                self._away(error)
            raise

    def _away(self, error: ComptoirError) -> _Outage:
        """Notes that the store is away; raises what is another refusal."""
        if not _says_away(error):
            raise error
        if self._outage is None:
            running = tuple(self._running.values())
            self._outage = _Outage(self._clock, running, self._routers, self._most_leases)
            self._told = 0
            _log.warning("local_share_begins", count=self._routers)
        self._outage.is_lending = True
        return self._outage

    async def _tell(self, outage: _Outage, freed: list[Freed]) -> None:
        journal, left = outage.journal, _IN_A_TURN
        while journal and left > 0:
            steps, now_seconds = journal.head(_AT_ONCE), self._clock.monotonic_seconds()
            said = (step.tell(self._shared, now_seconds) for step in steps.values())
            telling = asyncio.gather(*said, return_exceptions=True)
            # Now they stand in the store's line, and what is asked of it from here on stands behind them.
            await asyncio.sleep(0)
            if len(journal) == len(steps):
                outage.is_lending = False
            for found in await telling:
                if isinstance(found, BaseException):
                    raise found
                freed += found
            journal.drop(steps)
            self._told, left = self._told + len(steps), left - len(steps)
        if not journal:
            self._outage = None
            self._running |= outage.local.running()
            _log.info("local_share_ends", count=self._told, duration_seconds=_seconds(self._clock, outage))


def _says_away(error: ComptoirError) -> bool:
    """Tells whether it is the store that is away, not one account that it cannot read."""
    return error.reason is Reason.QUOTA_UNAVAILABLE and not isinstance(error, UnreadableValueError)


def _seconds(clock: Clock, outage: _Outage) -> float:
    return round(clock.monotonic_seconds() - outage.began_seconds, 3)
