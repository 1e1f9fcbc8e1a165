"""Whether a model that no replica serves at this moment will be served again soon."""

import math
from collections.abc import Iterable
from typing import Final

from services.router.domain.limits import RouterLimits
from services.router.domain.placement.replica import State

# Registered, and not ready for a reason that passes by itself. A drain and a wrong clock do not.
_ABOUT_TO_BE_READY: Final = frozenset({State.STARTING, State.SILENT})
# A place that becomes free within so long is not to go to batch because others were refused before.
_BEFORE_BATCH_SECONDS: Final = 5.0


def expected_seconds(
    states: Iterable[State],
    *,
    since_ready_seconds: float,
    since_left_seconds: float,
    since_started_seconds: float,
    limits: RouterLimits,
) -> float:
    """Returns for how much longer a replica of the model is expected; 0 where none is.

    `states` are those of its registered replicas. One that starts, or whose reports are late, is expected for
    as long as it is registered. Otherwise one is expected for `hold_seconds` after the last of them was
    ready, since its supervisor starts it again, and for `replica_return_seconds` after one left. The router
    itself knows nobody when it has started: while none of the model was ready, one is expected for
    `replica_return_seconds` then, or for `first_replica_seconds` if that is longer.
    """
    if any(state in _ABOUT_TO_BE_READY for state in states):
        return math.inf
    was_ready = since_ready_seconds < math.inf
    first_seconds = max(limits.replica_return_seconds, limits.first_replica_seconds)
    return max(
        0.0,
        limits.hold_seconds - since_ready_seconds,
        limits.replica_return_seconds - since_left_seconds,
        0.0 if was_ready else first_seconds - since_started_seconds,
    )


def patience_seconds(
    limits: RouterLimits,
    *,
    is_ready: bool,
    is_held: bool,
    waited_seconds: float,
    expected_seconds: float,
    is_before_batch: bool = False,
) -> float:
    """Returns how long a request waits in all, from its arrival, before it is refused for want of a place.

    `is_ready` says that a replica of its model is ready and full, `is_held` that it found none ready before:
    it then waits for a place no shorter than for the replica. `is_before_batch` says that the next place
    would go to one of the class batch, which waits for longer than others: they wait for that place too.
    """
    if is_ready:
        before_batch_seconds = _BEFORE_BATCH_SECONDS if is_before_batch else 0.0
        return max(limits.place_wait_seconds, limits.hold_seconds if is_held else before_batch_seconds)
    return min(limits.hold_seconds, waited_seconds + expected_seconds)
