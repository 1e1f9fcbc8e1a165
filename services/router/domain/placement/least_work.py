"""The replica with the least work, in seconds, before a new request's first token."""

from collections.abc import Sequence

from services.router.domain.placement.asking import Ask
from services.router.domain.placement.replica import Replica
from services.router.domain.placement.work import least, usual_speed, work_seconds


def least_work(replicas: Sequence[Replica], ask: Ask) -> Replica:
    """Returns the replica with the least work; equals take turns, behind the one chosen last."""
    usual = usual_speed(replicas)
    return least(replicas, [work_seconds(replica, ask, usual) for replica in replicas], ask.after)
