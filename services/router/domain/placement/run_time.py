"""How long until a replica would have a new request done, by the rates that it reported lately."""

from collections.abc import Sequence

from services.router.domain.placement.asking import Ask
from services.router.domain.placement.replica import Load, Replica
from services.router.domain.placement.work import usual_speed, work_seconds


def run_seconds(replica: Replica, ask: Ask, usual_tokens_per_second: float) -> float | None:
    """Returns the seconds until the request is done there: prompts before it and its own, then its answer.

    None where the replica does not say how fast it makes answers.
    """
    seconds = answer_seconds(replica.load, ask)
    return None if seconds is None else work_seconds(replica, ask, usual_tokens_per_second) + seconds


def answer_seconds(load: Load | None, ask: Ask) -> float | None:
    """Returns how long the expected answer takes at the recent pace of one request; None where unknown.

    What a replica made per second is that of all that ran. Choices are made beside each other.
    """
    if load is None or not load.output_tokens_per_second:
        return None
    pace = load.output_tokens_per_second / max(1, load.running_requests or 0)
    return ask.output_tokens / pace


def lateness_seconds(free: Sequence[Replica], ready: Sequence[Replica], ask: Ask) -> dict[int, float]:
    """Returns by number how much later each would have the request done than the fastest one without others.

    Where one of them does not say how fast it makes answers, it is how long each takes to begin.
    """
    usual = usual_speed(ready)
    runs = [run_seconds(replica, ask, usual) for replica in free]
    answers = [answer_seconds(replica.load, ask) for replica in free]
    numbers = [replica.registration.replica for replica in free]
    known = [run for run in runs if run is not None]
    if len(known) < len(free):
        return {one.registration.replica: work_seconds(one, ask, usual) for one in free}
    fastest = min((answer for answer in answers if answer is not None), default=0.0)
    return {number: max(0.0, run - fastest) for number, run in zip(numbers, known, strict=True)}
