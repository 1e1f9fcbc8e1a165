"""The life of leases: store, counter, replica directory and those who wait for a place are told together.

Places taken = reserved + accepted_unreserved + recovered; places free again = settled + released +
cancelled + lost + expired; the difference is in flight.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from services.contract.ticket import TicketClaims
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.amount import Amount
from services.router.domain.called_back import CalledBack
from services.router.domain.gone_processes import ALONE, GoneProcesses, Hearing
from services.router.domain.holder_changes import HolderChanges
from services.router.domain.lease import (
    Acceptance,
    Accepted,
    Ending,
    Freed,
    Issue,
    Issued,
    Opening,
    Process,
    RequestPart,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.limits import RouterLimits
from services.router.domain.place_lines import PlaceLines
from services.router.domain.place_turns import Asker
from services.router.domain.placement.expected_size import ExpectedSizes
from services.router.domain.placement.kinds import NO_KINDS, NOTHING_REQUIRED, Kinds, Requirement
from services.router.domain.ports import LeaseCounter, LeaseStore, ReplicaDirectory
from services.router.domain.pricing import reserved
from services.router.domain.quota import OF_QUOTA, SPENT, Payer, Quotas
from services.router.domain.quota_lines import QuotaLines
from services.router.domain.tenancy import Key
from services.router.domain.ticket import Grant

Got = TypeVar("Got")

_NO_PLACE: Final = frozenset({Reason.NO_REPLICA, Reason.REPLICA_OVERLOADED, Reason.BATCH_HELD_BACK})


class Leases:
    """Opens, moves and closes leases."""

    def __init__(
        self,
        store: LeaseStore,
        counter: LeaseCounter,
        replicas: ReplicaDirectory,
        clock: Clock,
        limits: RouterLimits,
        hearing: Hearing = ALONE,
    ) -> None:
        self._store = store
        self.is_lent_here: Final = store.is_lent_here
        self.sizes: Final = ExpectedSizes()
        self._counter = counter
        self._replicas = replicas
        self._clock = clock
        self._limits = limits
        self._lines = QuotaLines(wait_seconds=limits.place_wait_seconds)
        self.places = PlaceLines(limits, replicas.expected.kinds)
        self.called_back: Final = CalledBack(store, clock, lasts_seconds=limits.reserved_seconds)
        self._gone = GoneProcesses(replicas, hearing, clock, limits)
        self._changes = HolderChanges(wait_seconds=limits.further_ticket_wait_seconds)

    @property
    def held(self) -> int:
        """Returns how many requests wait for a replica that is ready, or has room in its KV cache."""
        return self.places.held

    async def obtain(
        self,
        grant: Grant,
        place: Callable[[Kinds], Got],
        expected_seconds: Callable[[], float],
        required: Requirement = NOTHING_REQUIRED,
    ) -> tuple[QuotaState, Got]:
        """Reserves what the grant may use and takes a place on a replica: both, or neither.

        It waits a moment where the key, or every replica of the model, has no place left, and longer where no
        replica is ready and one is expected, as `expected_seconds` says, or none has free KV blocks for it.
        While it waits for a replica it has nothing reserved. `place` is told which kinds to leave.
        """
        asker = self._asker(grant, expected_seconds, required)
        try:
            return await self._obtain_now(asker, grant, place)
        except ComptoirError as refused:
            if refused.reason not in _NO_PLACE:
                raise
            refusal = refused
        attempt = partial(self._attempt, grant, place)
        return await self.places.wait(asker, refusal, attempt)

    async def reserve(self, grant: Grant) -> QuotaState:
        """Lends what the grant may use; where requests in flight are at their limit it waits a moment.

        A request that was admitted before and lost its replica asks nothing of the quota: what it held there
        is about to be free. It waits for the router to hear of the loss, as another ticket does.
        """
        attempt = partial(self._lines.take, grant.key, partial(self._lend, grant))
        try:
            return await attempt()
        except ComptoirError as refused:
            earlier = await self._store.earlier(Payer.of(grant.key), _part_of(grant))
            if earlier is None or refused.reason not in OF_QUOTA:
                raise
        # Its own place may be in its way, on a replica of which the router thinks that it is still there.
        return await self._changes.tried(earlier.lease_id, attempt, OF_QUOTA)

    async def spend_request(self, key: Key) -> QuotaState:
        """Takes a request of the key for what needs no lease."""
        return await self._store.spend_request(Payer.of(key), Quotas.of(key))

    async def issue(self, claims: TicketClaims, process: Process, quotas: Quotas | None = None) -> None:
        """Notes the next ticket of a lease, before it is signed; LEASE_ENDED where there is to be none.

        With quotas it raises what is spent of those where a replica that is there holds the lease, and only
        after `further_ticket_wait_seconds`: a caller may hear that its replica handed the lease back, or that
        it died, before this router does.
        """

        async def attempt() -> bool:
            asked = quotas and await self._quotas_to_ask(claims.lease_id, quotas)
            return await self._store.issue(Issue(claims, process, self._limits.reserved_seconds, asked))

        if await self._changes.tried(claims.lease_id, attempt, SPENT):
            self._counter.count(Opening.RESERVED)

    async def issued(self, lease_id: Identity) -> Issued | None:
        """Returns what another ticket is drafted from; None where none of the lease is to be signed."""
        return await self._store.issued(lease_id)

    async def accept(
        self, process: Process, lease_id: Identity, ticket_id: Identity, *, payer: Payer, permitted: Amount
    ) -> None:
        """Binds a ticket to the process that accepted it."""
        lasts_seconds = self._limits.accepted_seconds
        acceptance = Acceptance(lease_id, ticket_id, payer, permitted, process, lasts_seconds)
        found = await self._store.accept(acceptance)
        self._counter.count(found)
        if found is Accepted.RESERVED:
            self._replicas.unassign(lease_id)
        if found is not Accepted.ENDED:
            self._replicas.assign(ticket_id, process.replica)

    async def settle(self, settlement: Settlement) -> None:
        """Charges what a request really used."""
        found, freed = await self._store.settle(settlement)
        if freed is None:
            self._counter.count(found)
        if found is Settled.HANDED_BACK:
            self._changes.tell()
        if settlement.has_output and not settlement.is_unserved:
            self._replicas.judge(settlement.process, self._clock.monotonic_seconds(), has_failed=False)
            self.sizes.used(settlement.lease_id, settlement.input_tokens, settlement.output_tokens)
        self._replicas.unassign(settlement.ticket_id)
        self._note([freed] if freed else [])

    async def release(self, lease_id: Identity) -> bool:
        """Gives a lease back that nobody accepted; False if it was accepted, released or over."""
        is_released, freed = await self.called_back.release(lease_id)
        self._note([freed] if freed else [])
        return is_released

    async def cancel(self, lease_id: Identity) -> None:
        """Undoes a lease of which no ticket left the router."""
        self.sizes.forget(lease_id)
        self._replicas.unassign(lease_id)
        freed = await self._store.cancel(lease_id)
        self._note([freed] if freed else [])

    async def lose_gone(self) -> int:
        """Gives up on what ran in processes that are gone, and returns how many requests that was."""
        count = 0
        async for process in self._gone.find():
            freed = await self._store.lose(process)
            self._gone.give_up(process)
            self._note(freed)
            count += len(freed)
        if count:
            self._changes.tell()
        return count

    async def expire(self) -> int:
        """Closes what nobody settled in time, returns how many that was; what nobody accepted just ends."""
        self._replicas.drop_unclaimed(self._clock.monotonic_seconds())
        await self._gone.tell()
        freed = await self._store.expire()
        self._note(freed)
        self.places.free_all()
        return sum(one.ending is Ending.EXPIRED for one in freed)

    def replicas_changed(self) -> None:
        """Lets those try again that found no replica ready, or every one full."""
        self.places.free_all()

    def replica_left(self) -> None:
        """Lets those try again, too, that want another ticket because it left."""
        self.replicas_changed()
        self._changes.tell()

    def end_waits(self) -> None:
        """Refuses those that wait for a replica, and all that would: this router stops."""
        self.places.close()

    async def _obtain_now(
        self, asker: Asker, grant: Grant, place: Callable[[Kinds], Got]
    ) -> tuple[QuotaState, Got]:
        try:
            quota = await self.reserve(grant)
        except ComptoirError as refused:
            if refused.reason is Reason.CONCURRENCY_EXHAUSTED:
                self._check_replica(grant, place)
            raise
        try:
            return quota, self.places.place(asker, place)
        except BaseException:
            await self.cancel(grant.lease_id)
            raise

    def _check_replica(self, grant: Grant, place: Callable[[Kinds], object]) -> None:
        """Raises NO_REPLICA if none is ready: what the key has in flight may be on one that is gone."""
        try:
            place(NO_KINDS)
        except ComptoirError as refused:
            if refused.reason is Reason.NO_REPLICA:
                raise
        else:
            self.sizes.forget(grant.lease_id)
            self._replicas.unassign(grant.lease_id)

    async def _lend(self, grant: Grant) -> QuotaState:
        reservation = Reservation(
            lease_id=grant.lease_id,
            request=_part_of(grant),
            payer=Payer.of(grant.key),
            quotas=Quotas.of(grant.key),
            amount=reserved(grant.model, grant.size),
            lasts_seconds=self._limits.reserved_seconds,
        )
        try:
            state = await self._store.reserve(reservation)
        except ComptoirError as refused:
            if refused.reason not in OF_QUOTA or not await self._has_lost_its_replica(grant):
                raise
            state = await self._store.reserve(replace(reservation, is_again=True))
        self._counter.count(Opening.RESERVED)
        return state

    async def _has_lost_its_replica(self, grant: Grant) -> bool:
        earlier = await self._store.earlier(Payer.of(grant.key), _part_of(grant))
        return earlier is not None and self._are_away(earlier.holders)

    async def _attempt(self, grant: Grant, place: Callable[[Kinds], Got]) -> tuple[QuotaState, Got]:
        # First the place: while there is none, nothing is lent.
        placed = place(NO_KINDS)
        try:
            return await self._lend(grant), placed
        except BaseException:
            self.sizes.forget(grant.lease_id)
            self._replicas.unassign(grant.lease_id)
            raise

    async def _quotas_to_ask(self, lease_id: Identity, quotas: Quotas) -> Quotas | None:
        """Returns None where all that hold the lease are away: their places are about to be free."""
        issued = await self._store.issued(lease_id)
        return None if issued is not None and self._are_away(issued.holders) else quotas

    def _are_away(self, processes: Sequence[Process]) -> bool:
        there = {one.registration.process for one in self._replicas.everyone()}
        return bool(processes) and there.isdisjoint(processes)

    def _asker(self, grant: Grant, expected_seconds: Callable[[], float], required: Requirement) -> Asker:
        most_of_key, key = max(1, self._limits.held_requests // 2), grant.key
        most_of_key = min(key.quota.concurrency or most_of_key, most_of_key)
        model, priority = grant.model.number, grant.priority
        return Asker(model, key.number, priority, most_of_key, expected_seconds, required)

    def _note(self, freed: Sequence[Freed]) -> None:
        for one in freed:
            self._counter.count(one.ending)
            self._replicas.unassign(one.holder)
            self._lines.free(one.payer)
        if freed:
            self.places.free_all()


def _part_of(grant: Grant) -> RequestPart:
    return RequestPart(grant.request_id, grant.part)
