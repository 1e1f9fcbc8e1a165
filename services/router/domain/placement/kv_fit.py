"""The replica whose KV cache has the most room left once a new request is there, by its free blocks."""

from collections.abc import Sequence
from typing import Final

from services.router.domain.placement.asking import Ask
from services.router.domain.placement.filters import predicted_kv_blocks
from services.router.domain.placement.replica import Replica
from services.router.domain.placement.round_robin import distance
from services.router.domain.placement.work import is_stale

_PERMILLE: Final = 1000
# Shares closer than this are equal: equals take turns.
_SHARE_DIGITS: Final = 3


def kv_fit(replicas: Sequence[Replica], ask: Ask) -> Replica:
    """Returns the replica with the most room; those where the request fits now go before all others."""

    def score(replica: Replica) -> tuple[bool, bool, float, tuple[bool, int]]:
        load = replica.load
        is_silent = load is None or is_stale(load, ask.stale_after_seconds)
        left = _left_share(replica, ask)
        return is_silent, left < 0, -round(left, _SHARE_DIGITS), distance(replica, ask.after)

    return min(replicas, key=score)


def free_kv_blocks(replica: Replica) -> int | None:
    """Returns the blocks that are free as it said, less those that are promised; None if unknown.

    Promised are those of what was sent since its report, those of prompts without a first token, which have
    none of them yet, or some, and those that its requests are expected to grow into. An engine counts blocks
    that are cached, and that no request uses, among the free ones.
    """
    load, blocks = replica.load, replica.registration.kv_blocks
    if load is None or blocks == 0:
        return None
    free = load.kv_free_blocks
    if free is None:
        if load.kv_usage_permille is None:
            return None
        free = blocks * (_PERMILLE - load.kv_usage_permille) // _PERMILLE
    waiting = -(-(load.waiting_input_tokens or 0) // (replica.registration.kv_block_tokens or 1))
    return free - waiting - (load.kv_growth_blocks or 0) - replica.claims.kv_blocks


def _left_share(replica: Replica, ask: Ask) -> float:
    """Returns the share of the cache that is left; of the places, where nothing is known of the cache."""
    free = free_kv_blocks(replica)
    if free is None:
        return max(0.0, 1 - replica.outstanding / replica.registration.max_requests)
    needed = predicted_kv_blocks(ask.kv_tokens, replica.registration, ask.choices)
    return (free - needed) / replica.registration.kv_blocks
