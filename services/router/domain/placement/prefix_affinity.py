"""The replica with the least work, less what it has of the prompt in its cache, within a bound."""

from collections.abc import Sequence
from typing import Final

from services.router.domain.placement.asking import Ask
from services.router.domain.placement.replica import Replica
from services.router.domain.placement.work import least, trusted_speed, usual_speed, work_seconds

# What it is worth that a beginning goes where other routers send it too, though nobody has seen it there.
_AGREED_SECONDS: Final = 0.01
_64_BITS: Final = 2**64 - 1


def prefix_affinity(replicas: Sequence[Replica], ask: Ask) -> Replica:
    """Returns the replica with the least work; equals take turns, behind the one chosen last.

    A cached beginning counts as the seconds that it saves, `ask.affinity_seconds` at most: a replica with
    more work than that beyond another's does not get the request, whatever it has.
    """
    usual = usual_speed(replicas)
    works = [work_seconds(replica, ask, usual) for replica in replicas]
    if ask.cached_tokens:
        works = [
            work - min(saved_seconds(replica, ask, usual), ask.affinity_seconds)
            if replica.registration.process in ask.cached_tokens
            else work
            for work, replica in zip(works, replicas, strict=True)
        ]
    return _agreed(replicas, works, ask) if ask.prefix else least(replicas, works, ask.after)


def saved_seconds(replica: Replica, ask: Ask, usual_tokens_per_second: float) -> float:
    """Returns the seconds of a prompt that a replica is expected to be spared."""
    tokens = ask.cached_at(replica.registration.process)
    if not tokens or replica.load is None:
        return 0.0
    return tokens / trusted_speed(replica.load.input_tokens_per_second, usual_tokens_per_second)


def _agreed(replicas: Sequence[Replica], works: Sequence[float], ask: Ask) -> Replica:
    """Returns the replica that every router prefers of those with hardly more than the least work."""
    near_seconds = min(works) + min(_AGREED_SECONDS, ask.affinity_seconds)
    near = [one for one, work in zip(replicas, works, strict=True) if work <= near_seconds]
    if len(near) == 1 or not ask.affinity_seconds:
        return least(replicas, works, ask.after)
    return max(near, key=lambda one: _weight(ask.prefix, one.registration.replica))


def _weight(prefix: int, replica: int) -> int:
    """Returns a replica's rank for a beginning: rendezvous hashing, by the finaliser of splitmix64."""
    mixed = (prefix ^ replica * 0x9E3779B97F4A7C15) & _64_BITS
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _64_BITS
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _64_BITS
    return mixed ^ mixed >> 31
