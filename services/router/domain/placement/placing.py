"""The placement of one request: filters, then the policy that the settings name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from services.kernel.engine_features import has_all
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.lease import Process
from services.router.domain.limits import KvRoom, PlacementPolicy, RouterLimits
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.cheapest_class import of_cheapest_class
from services.router.domain.placement.circuit import CLOSED
from services.router.domain.placement.filters import (
    fits,
    is_full,
    kept_for,
    open_to,
    predicted_kv_blocks,
    state_of,
)
from services.router.domain.placement.kv_fit import kv_fit
from services.router.domain.placement.kv_room import has_room, needed_kv_blocks, no_room
from services.router.domain.placement.least_work import least_work
from services.router.domain.placement.prefix_affinity import prefix_affinity
from services.router.domain.placement.replica import Replica, State
from services.router.domain.placement.round_robin import next_in_turn, round_robin
from services.router.domain.placement.work import is_stale

_RETRY_SECONDS: Final = 1.0

# From the replicas that can take a request, and what is known of it, to the best of them.
Policy: TypeAlias = Callable[[Sequence[Replica], Ask], Replica]
POLICIES: Final[Mapping[PlacementPolicy, Policy]] = {
    PlacementPolicy.LEAST_WORK: least_work,
    PlacementPolicy.ROUND_ROBIN: round_robin,
    PlacementPolicy.KV_FIT: kv_fit,
    PlacementPolicy.PREFIX_AFFINITY: prefix_affinity,
}


@dataclass(frozen=True, slots=True)
class Placement:
    """A replica that may serve the request, with the KV-cache blocks predicted for it (0 if unknown).

    `taken_kv_blocks` are those of them that it takes of the free ones, and `cache_tokens` is what its cache
    holds in all, 0 if unknown.
    """

    process: Process
    address: str
    predicted_kv_blocks: int
    cache_tokens: int = 0
    taken_kv_blocks: int = 0

    @property
    def replica(self) -> int:
        """Returns the replica's number."""
        return self.process.replica


def place(replicas: Sequence[Replica], ask: Ask, *, limits: RouterLimits) -> Placement:
    """Returns the best of a pool's replicas.

    Raises NO_REPLICA if none is ready, and REPLICA_OVERLOADED if those that are ready are full, or for batch
    those of the GPU class that it has to keep to; with numbers, where it waits for free KV blocks.
    """
    ready = [
        replica
        for replica in _ready(open_to(replicas, ask.tenant), limits, ask.now_seconds)
        if fits(replica.registration, ask.tokens)
        and (not ask.needs or has_all(replica.registration.features, ask.needs))
        and (not ask.barred or replica.registration.kind not in ask.barred)
    ]
    if not ready:
        raise ComptoirError(Reason.NO_REPLICA, retry_after_seconds=_RETRY_SECONDS)
    free = [replica for replica in ready if not is_full(replica)]
    if not free:
        raise ComptoirError(Reason.REPLICA_OVERLOADED, retry_after_seconds=_RETRY_SECONDS)
    candidates = _roomy(
        trusted(free, ask.now_seconds, stale_after_seconds=ask.stale_after_seconds), ask, limits
    )
    candidates = kept_for(candidates, ask.tenant)
    if ask.is_batch and limits.gpu_prices:
        candidates = of_cheapest_class(candidates, ready, ask, limits)
        if not candidates:
            raise ComptoirError(Reason.REPLICA_OVERLOADED, retry_after_seconds=_RETRY_SECONDS)
    best = POLICIES[limits.placement.policy](candidates, ask)
    chosen = best.registration
    blocks = predicted_kv_blocks(ask.kv_tokens, chosen, ask.choices)
    taken = needed_kv_blocks(best, ask)
    return Placement(chosen.process, chosen.address, blocks, chosen.cache_tokens, taken)


def _roomy(replicas: Sequence[Replica], ask: Ask, limits: RouterLimits) -> Sequence[Replica]:
    """Returns those with free KV blocks for the request; all where there are none and it does not wait."""
    if limits.placement.kv_room is KvRoom.OFF:
        return replicas
    roomy = [
        replica
        for replica in replicas
        # With every request: most replicas of a pool with room need no look.
        if (replica.outstanding == 0 and not ask.kept_blocks) or has_room(replica, ask)
    ]
    if not roomy and ask.waits_for_room and limits.placement.kv_room is KvRoom.HOLD:
        raise no_room(replicas, ask)
    return roomy or replicas


def trusted(
    replicas: Sequence[Replica], now_seconds: float, *, stale_after_seconds: float
) -> Sequence[Replica]:
    """Returns those that neither failed their requests lately nor stand still with them; all, if none is so.

    One that fails fast looks idle, and one that stands still gets its turn by some policies.
    """
    return [
        replica
        for replica in replicas
        if (replica.circuit is CLOSED or replica.circuit.lets_in(now_seconds))
        and not (replica.load is not None and is_stale(replica.load, stale_after_seconds))
    ] or replicas


def place_count(
    replicas: Sequence[Replica], *, now_seconds: float, limits: RouterLimits, after: int, tenant: int = 0
) -> Placement:
    """Returns the replica of a pool that is to count a prompt: one after the other, full ones too.

    A count takes no place. Raises NO_REPLICA if none is ready.
    """
    ready = _ready(open_to(replicas, tenant), limits, now_seconds)
    if not ready:
        raise ComptoirError(Reason.NO_REPLICA, retry_after_seconds=_RETRY_SECONDS)
    chosen = next_in_turn(ready, after).registration
    return Placement(chosen.process, chosen.address, predicted_kv_blocks=0)


def _ready(replicas: Sequence[Replica], limits: RouterLimits, now_seconds: float) -> list[Replica]:
    return [replica for replica in replicas if state_of(replica, limits, now_seconds) is State.READY]
