"""The replica with the least work, in seconds, before a new request's first token."""

from collections.abc import Sequence
from typing import Final

from services.router.domain.placement.asking import Ask
from services.router.domain.placement.replica import Replica
from services.router.domain.placement.round_robin import distance
from services.router.domain.placement.work import usual_speed, work_seconds

# Works closer than a tenth of a millisecond are equal: equals take turns.
_SECONDS_DIGITS: Final = 4


def least_work(replicas: Sequence[Replica], ask: Ask) -> Replica:
    """Returns the replica with the least work; equals take turns, behind the one chosen last."""
    usual, after = usual_speed(replicas), ask.after

    def score(replica: Replica) -> tuple[float, tuple[bool, int]]:
        return round(work_seconds(replica, ask, usual), _SECONDS_DIGITS), distance(replica, after)

    return min(replicas, key=score)
