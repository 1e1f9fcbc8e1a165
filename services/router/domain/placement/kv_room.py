"""Whether a request's KV-cache blocks are free on a replica before it is sent there, and who is next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.identity import Identity
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.filters import predicted_kv_blocks
from services.router.domain.placement.kv_fit import free_kv_blocks
from services.router.domain.placement.replica import Replica

_RETRY_SECONDS: Final = 1.0
# Behind so long a request whose turn is first goes to an engine's queue without room. There every router sees
# it in what waits, where other routers' small requests would take for ever the room that is kept for it here;
# and what is kept rests no longer.
_LONGEST_KEPT_SECONDS: Final = 5.0
_NO_NUMBERS: Final = Numbers()


def needed_kv_blocks(replica: Replica, ask: Ask) -> int:
    """Returns the blocks that a request is expected to take of those that are free; 0 if unknown.

    What its prompt shares with others there is theirs already. Where nobody uses it any more it is among the
    free ones, and the request takes a few more than this. Of several choices as many have to begin as half of
    the cache holds, one at least: further ones wait for them in the engine.
    """
    registration = replica.registration
    blocks = predicted_kv_blocks(ask.kv_tokens, registration, ask.choices)
    if not blocks:
        return 0
    if ask.choices > 1 and blocks > registration.kv_blocks // 2:
        one = predicted_kv_blocks(ask.kv_tokens - (ask.choices - 1) * ask.output_tokens, registration)
        blocks = min(blocks, max(one, registration.kv_blocks // 2))
    return max(1, blocks - ask.cached_at(registration.process) // registration.kv_block_tokens)


def has_room(replica: Replica, ask: Ask) -> bool:
    """Tells whether the blocks of a request are free there, beside those that are kept for another one.

    A replica that has nothing to do has room for whatever fits it, and so has one that says nothing.
    """
    kept = ask.kept_blocks.get(replica.registration.replica, 0)
    if replica.outstanding == 0 and not kept:
        return True
    free = free_kv_blocks(replica)
    return free is None or needed_kv_blocks(replica, ask) + kept <= free


def roomiest(replicas: Sequence[Replica], ask: Ask) -> Replica:
    """Returns the replica that lacks the fewest blocks for a request."""
    return max(replicas, key=lambda one: (free_kv_blocks(one) or 0) - needed_kv_blocks(one, ask))


class NoRoomError(ComptoirError):
    """The refusal of a request whose KV blocks are free on none of the `replicas` that can take it."""

    def __init__(self, replicas: Sequence[Replica] = (), numbers: Numbers = _NO_NUMBERS) -> None:
        super().__init__(Reason.REPLICA_OVERLOADED, retry_after_seconds=_RETRY_SECONDS, numbers=numbers)
        self.replicas = replicas


def no_room(replicas: Sequence[Replica], ask: Ask) -> NoRoomError:
    """Returns the refusal with the blocks that are needed on the nearest replica, and those that it has.

    Not how many are free: asked again and again, that would tell how large the requests of others are.
    """
    nearest = roomiest(replicas, ask)
    numbers = Numbers(limit=nearest.registration.kv_blocks, requested=needed_kv_blocks(nearest, ask))
    return NoRoomError(replicas, numbers)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A replica's blocks that are kept for the request whose turn is first."""

    holder: Identity
    due_seconds: float
    replica: int
    blocks: int
    since_seconds: float


class KeptRoom:
    """For each model the one request that is next to have room, and the replica that is left to it.

    Without it a large request would never see the room that smaller ones behind it take bit by bit. All other
    replicas go on taking whoever fits, so that one large request does not idle the pool.
    """

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def blocks(self, model: int, holder: Identity, due_seconds: float) -> dict[int, int]:
        """Returns the blocks that a request has to leave to another one, by the replica's number."""
        kept = self._kept.get(model)
        if kept is None or kept.holder == holder or due_seconds < kept.due_seconds:
            return {}
        return {kept.replica: kept.blocks}

    def has_waited(self, model: int, holder: Identity, now_seconds: float) -> bool:
        """Tells whether room was kept for a request for so long that it goes where it has none."""
        kept = self._kept.get(model)
        if kept is None or kept.holder != holder:
            return False
        return now_seconds - kept.since_seconds >= _LONGEST_KEPT_SECONDS

    def keep(
        self, model: int, holder: Identity, due_seconds: float, *, replicas: Sequence[Replica], ask: Ask
    ) -> None:
        """Keeps room for a request that has none, unless one whose turn is sooner waits already.

        It stays with its replica while that is among `replicas`, of which there is one at least.
        """
        kept = self._kept.get(model)
        if kept is not None and kept.holder != holder and kept.due_seconds <= due_seconds:
            return
        is_first_time = kept is None or kept.holder != holder
        since_seconds = ask.now_seconds if kept is None or is_first_time else kept.since_seconds
        stays = [one for one in replicas if kept is not None and one.registration.replica == kept.replica]
        chosen = roomiest(stays or replicas, ask)
        needed = max(1, needed_kv_blocks(chosen, ask))
        self._kept[model] = _Kept(holder, due_seconds, chosen.registration.replica, needed, since_seconds)

    def forget(self, model: int, holder: Identity) -> None:
        """Keeps nothing for a request any more: it has a place, or does not wait for one."""
        kept = self._kept.get(model)
        if kept is not None and kept.holder == holder:
            del self._kept[model]
