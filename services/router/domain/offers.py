"""The tickets of a request, one at a time: a replica is chosen, the lease notes the ticket, it is signed."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.contract.ticket import TicketClaims
from services.kernel.catalog import Region
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.lease import Issued, Process
from services.router.domain.leases import Leases
from services.router.domain.limits import PlacementPolicy, RouterLimits
from services.router.domain.placement.asking import Ask, expected_input_tokens
from services.router.domain.placement.expected_size import Bounds
from services.router.domain.placement.filters import check_needs
from services.router.domain.placement.kinds import NO_KINDS, Kinds, Requirement
from services.router.domain.placement.kv_room import KeptRoom, NoRoomError
from services.router.domain.placement.placing import Placement, place, place_count
from services.router.domain.placement.prefix_memory import UNKNOWN_BEGINNING, Beginning, PrefixMemory
from services.router.domain.placement.replica import Claims
from services.router.domain.placement.work import is_at_work
from services.router.domain.ports import ReplicaDirectory
from services.router.domain.quota import Quotas
from services.router.domain.tenancy import Key, Priority
from services.router.domain.ticket import Grant, Signer, Term, TicketOffer, first_claims, next_claims

# An honest ticket is used within milliseconds. One that is used later finds its replica full at worst, and
# goes on to the next; those that are never used do not keep others out of an idle engine.
_CLAIM_SECONDS: Final = 2.0
# Tickets of which it is known that they failed; their leases are over long before so many others have failed.
_MOST_FAILED: Final = 4096


@dataclass(frozen=True, slots=True)
class Want:
    """What a request wants of a replica, by its bounds; `input_tokens` is its prompt's, which may be more.

    `output_tokens` are those of each choice. One of the class batch may go to a dearer GPU class where it
    `may_spill`. `due_seconds` is its turn among those that wait for free KV blocks, None where it does not.
    `needs` is a sum of EngineFeature. Replicas of the `barred` kinds are for those who wait already.
    """

    model: int
    tokens: int
    input_tokens: int
    choices: int = 1
    priority: int = Priority.DEFAULT
    output_tokens: int = 0
    beginning: Beginning = UNKNOWN_BEGINNING
    needs: int = 0
    may_spill: bool = True
    due_seconds: float | None = None
    tenant: int = 0
    barred: Kinds = NO_KINDS

    @property
    def required(self) -> Requirement:
        """Returns by what replicas are ruled out."""
        return Requirement(self.tenant, self.needs)

    @property
    def bounds(self) -> Bounds:
        """Returns what its size is expected by."""
        return Bounds(self.model, self.input_tokens, self.output_tokens, self.choices, self.tenant)


class Offers:
    """Gives a request its first ticket, and another one when its caller asks for it."""

    def __init__(
        self,
        leases: Leases,
        replicas: ReplicaDirectory,
        signer: Signer,
        clock: Clock,
        *,
        region: Region,
        limits: RouterLimits,
    ) -> None:
        self._leases = leases
        self._replicas = replicas
        self._signer = signer
        self._clock = clock
        self._region = region
        self._limits = limits
        self._last_chosen: dict[int, int] = {}
        self._last_counted: dict[int, int] = {}
        self._failed: dict[Identity, None] = {}
        self._room = KeptRoom()
        rules = limits.placement
        remembers = rules.policy is PlacementPolicy.PREFIX_AFFINITY
        self._prefixes = PrefixMemory(rules.prefix_memory_bytes if remembers else 0)

    def place(self, lease_id: Identity, want: Want, tried: Collection[Process] = ()) -> Placement:
        """Returns the best replica that none of `tried` runs; raises as `place` of the placement does."""
        pool = self._replicas.pool(want.model, self._region.number)
        ask = self._ask(lease_id, want)
        untried = [one for one in pool if one.registration.process not in tried] if tried else pool
        check_needs(pool, want.required, lambda: self.may_come(want.model, want.required, ask.now_seconds))
        try:
            placement = place(untried, ask, limits=self._limits)
        except NoRoomError as refusal:
            if want.due_seconds is not None:
                self._room.keep(want.model, lease_id, want.due_seconds, replicas=refusal.replicas, ask=ask)
            raise
        self.leave(lease_id, want)
        self._last_chosen[want.model] = placement.replica
        # No await since the pool was read: two requests cannot take the same last place.
        new_tokens = ask.input_tokens - ask.cached_at(placement.process)
        self._prefixes.note(
            want.beginning,
            want.model,
            placement.process,
            new_tokens=new_tokens,
            cache_tokens=placement.cache_tokens,
            now_seconds=ask.now_seconds,
        )
        claims = Claims(new_tokens, placement.taken_kv_blocks, ask.now_seconds + _CLAIM_SECONDS)
        self._replicas.claim(lease_id, placement.replica, claims, ask.now_seconds)
        self._leases.sizes.sent(lease_id, want.bounds)
        return placement

    def may_come(self, model: int, required: Requirement, now_seconds: float) -> bool:
        """Tells whether a replica that may serve a request is away, or not known, only for a while."""
        return self._replicas.expected.may_come(model, self._region.number, now_seconds, required)

    def due_seconds(self, priority: int) -> float:
        """Returns the turn of a request of that class that comes now."""
        return self._limits.ageing.due_seconds(priority, self._clock.monotonic_seconds())

    def leave(self, lease_id: Identity, want: Want) -> None:
        """Keeps no room for a request any more that does not wait for it."""
        self._room.forget(want.model, lease_id)

    def _ask(self, lease_id: Identity, want: Want) -> Ask:
        now_seconds, due_seconds = self._clock.monotonic_seconds(), want.due_seconds
        waits = due_seconds is not None and not self._room.has_waited(want.model, lease_id, now_seconds)
        expected = self._leases.sizes.expected(want.bounds)
        return Ask(
            tokens=want.tokens,
            input_tokens=min(want.tokens, expected_input_tokens(want.input_tokens)),
            after=self._last_chosen.get(want.model, 0),
            now_seconds=now_seconds,
            stale_after_seconds=self._limits.report_timeout_seconds,
            choices=want.choices,
            is_batch=want.priority >= Priority.BATCH,
            may_spill=want.may_spill,
            cached_tokens=self._prefixes.cached_tokens(want.beginning, want.model, now_seconds),
            prefix=want.beginning.number,
            affinity_seconds=self._limits.placement.affinity_seconds,
            needs=want.needs,
            expected_tokens=expected.tokens,
            output_tokens=expected.output_tokens,
            waits_for_room=waits,
            kept_blocks={} if due_seconds is None else self._room.blocks(want.model, lease_id, due_seconds),
            tenant=want.tenant,
            barred=want.barred,
        )

    async def first(self, grant: Grant, placement: Placement) -> TicketOffer:
        """Returns the ticket that a request is admitted with."""
        return await self._sign(self._first_claims(grant, placement), placement)

    async def another(
        self,
        key: Key,
        lease_id: Identity,
        may_use: Callable[[int], bool],
        *,
        transfer_record: int = 0,
        is_hedge: bool = False,
        needs: int = 0,
    ) -> TicketOffer:
        """Returns a ticket of the same lease for a replica that had none of it.

        `is_hedge` says that the replica of the last ticket has not failed, but said nothing for long.

        Raises LEASE_ENDED where the lease is not the key's, or no further ticket is signed for it,
        MODEL_NOT_FOUND where the key may not use its model any more, as
        `place` does where no other replica can take the request now, and what is spent of the key's quota
        where a replica that is there holds the lease; for a hedge, REPLICA_OVERLOADED where the replica has
        accepted the request and works. A refusal changes nothing of the lease.
        """
        issued = await self._leases.issued(lease_id)
        if issued is None or issued.claims.key != key.number:
            raise ComptoirError(Reason.LEASE_ENDED)
        if not may_use(issued.claims.model):
            raise ComptoirError(Reason.MODEL_NOT_FOUND)
        if is_hedge and self._is_at_work(issued):
            raise ComptoirError(Reason.REPLICA_OVERLOADED)
        claims = replace(issued.claims, priority=max(issued.claims.priority, int(key.best_priority)))
        if not is_hedge:
            # Its caller asks for the reason that the last one failed it before any text.
            self._note_failed(claims.ticket_id, issued.processes)
        tokens = claims.max_input_tokens + claims.choices * claims.max_output_tokens
        want = Want(
            claims.model,
            tokens,
            claims.max_input_tokens,
            claims.choices,
            claims.priority,
            claims.max_output_tokens,
            needs=needs,
            tenant=claims.tenant,
        )
        placement = self.place(lease_id, want, issued.processes)
        try:
            following = next_claims(claims, placement, self._term(), transfer_record=transfer_record)
            offer = await self._sign(following, placement, Quotas.of(key))
        except BaseException:
            self._replicas.unassign(lease_id)
            raise
        # It was slow so far, which says something only once it is left: where all are slow, nobody is.
        self._note_failed(claims.ticket_id, issued.processes)
        return offer

    def place_count(self, model: int, tenant: int) -> Placement:
        """Returns the replica that is to count a prompt; raises as `place_count` of the placement does."""
        placement = place_count(
            self._replicas.pool(model, self._region.number),
            now_seconds=self._clock.monotonic_seconds(),
            limits=self._limits,
            after=self._last_counted.get(model, 0),
            tenant=tenant,
        )
        self._last_counted[model] = placement.replica
        return placement

    def to_count(self, grant: Grant, placement: Placement) -> TicketOffer:
        """Returns a ticket of a grant without a lease and without output."""
        claims = self._first_claims(grant, placement)
        return TicketOffer(self._signer.sign(claims), placement.address, claims.transfer_record)

    def _is_at_work(self, issued: Issued) -> bool:
        """Tells whether the replica of the last ticket has accepted it and works."""
        asked, now_seconds = issued.processes[-1:], self._clock.monotonic_seconds()
        return any(
            is_at_work(one, now_seconds, stale_after_seconds=self._limits.report_timeout_seconds)
            for one in self._replicas.everyone()
            if one.registration.process in asked and one.registration.process in issued.holders
        )

    def _note_failed(self, ticket_id: Identity, processes: Sequence[Process]) -> None:
        """Counts it once, however often its caller asks: all that is known of it is what that one says."""
        if ticket_id in self._failed or not processes:
            return
        self._failed[ticket_id] = None
        if len(self._failed) > _MOST_FAILED:
            del self._failed[next(iter(self._failed))]
        self._prefixes.forget(processes[-1])
        self._replicas.judge(processes[-1], self._clock.monotonic_seconds(), has_failed=True)

    def _first_claims(self, grant: Grant, placement: Placement) -> TicketClaims:
        region, term = self._region.number, self._term()
        router = self._limits.number if self._leases.is_lent_here(grant.lease_id) else 0
        return first_claims(grant, placement, region=region, term=term, router=router)

    async def _sign(
        self, claims: TicketClaims, placement: Placement, quotas: Quotas | None = None
    ) -> TicketOffer:
        await self._leases.issue(claims, placement.process, quotas)
        return TicketOffer(self._signer.sign(claims), placement.address, claims.transfer_record)

    def _term(self) -> Term:
        return Term.lasting(self._limits.ticket_lifetime_seconds, self._clock.wall_microseconds())
