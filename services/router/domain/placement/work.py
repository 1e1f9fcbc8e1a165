"""The work that lies before a new request's first token on a replica, in seconds."""

from collections.abc import Sequence
from typing import Final

from services.router.domain.placement.asking import Ask
from services.router.domain.placement.backlog import ASSUMED_TOKENS_PER_SECOND, Backlog
from services.router.domain.placement.replica import Load, Replica
from services.router.domain.placement.round_robin import next_in_turn

# A request that waits on a replica which does not say how long its prompt is.
_TYPICAL_INPUT_TOKENS: Final = 512
# What a full replica, and a full cache, cost a new request beside the prompts before it: each step is longer.
_FULLNESS_SECONDS: Final = 0.05
_PERMILLE: Final = 1000
# Works closer than a tenth of a millisecond are equal.
_EQUAL_SECONDS: Final = 1e-4
_FAR: Final = 2.0
# An engine that holds requests and makes no step: whoever else can take the request gets it.
_STALE_SECONDS: Final = 1e12


def backlog_of(load: Load, claimed_tokens: int, now_seconds: float) -> Backlog:
    """Returns the prompts that wait by a report that was heard now, and those that it does not hold."""
    tokens = load.waiting_input_tokens
    if tokens is None:
        tokens = (load.waiting_requests or 0) * _TYPICAL_INPUT_TOKENS
    return Backlog(tokens + claimed_tokens, now_seconds, load.input_tokens_per_second)


def trusted_speed(tokens_per_second: int | None, usual: float) -> float:
    """Returns how fast a replica is taken to be: as the others of its pool, unless it is far from them.

    What it measures depends on what it was sent, and equals should take turns.
    """
    if not tokens_per_second or (usual < tokens_per_second * _FAR and tokens_per_second < usual * _FAR):
        return usual
    return float(tokens_per_second)


def usual_speed(replicas: Sequence[Replica]) -> float:
    """Returns how fast a replica is taken to be that does not say it: as the others of its pool."""
    said = [replica.load.input_tokens_per_second for replica in replicas if replica.load is not None]
    known = sorted([speed for speed in said if speed])
    # The lower median.
    return float(known[(len(known) - 1) // 2]) if known else ASSUMED_TOKENS_PER_SECOND


def work_seconds(replica: Replica, ask: Ask, usual_tokens_per_second: float) -> float:
    """Returns the seconds until a new request's prompt would be computed; low is better."""
    load = replica.load
    if load is None or is_stale(load, ask.stale_after_seconds):
        return _STALE_SECONDS + replica.outstanding
    backlog, usual = replica.backlog, usual_tokens_per_second
    before_seconds = 0.0 if backlog is None else backlog.left_seconds(ask.now_seconds, usual)
    own_seconds = ask.input_tokens / trusted_speed(load.input_tokens_per_second, usual)
    # A cache of which nothing is known is as full as its replica.
    places = replica.outstanding / replica.registration.max_requests
    cache = min(1.0, places) if load.kv_usage_permille is None else load.kv_usage_permille / _PERMILLE
    fullness = places + cache
    return before_seconds + own_seconds + fullness * _FULLNESS_SECONDS


def least(replicas: Sequence[Replica], works: Sequence[float], after: int) -> Replica:
    """Returns the replica with the least of the works; equals take turns, behind the number `after`."""
    equal_seconds = min(works) + _EQUAL_SECONDS
    return next_in_turn(
        [one for one, work in zip(replicas, works, strict=True) if work <= equal_seconds], after
    )


def is_at_work(replica: Replica, now_seconds: float, *, stale_after_seconds: float) -> bool:
    """Tells whether a replica was heard of lately and its engine makes steps: what it has gets its turn."""
    load = replica.load
    is_heard = now_seconds - replica.reported_at_seconds <= stale_after_seconds / 2
    return load is not None and is_heard and not is_stale(load, stale_after_seconds)


def is_stale(load: Load, stale_after_seconds: float) -> bool:
    """Tells whether the engine holds requests and has said nothing for too long.

    An engine that held nothing has nothing to say, however long ago it last made a step. What was sent there
    since is no reason to expect that it spoke: its report came before.
    """
    return load.held_requests > 0 and load.age_seconds > stale_after_seconds
