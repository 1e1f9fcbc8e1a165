"""Which ending each failure is, and whether a request may go on elsewhere."""

import asyncio
from collections.abc import Sequence
from typing import Final

from services.generator.domain.delta import EngineFinish
from services.generator.domain.ports import CallerGoneError, EngineFailedError, RequestFailedError
from services.generator.domain.terminal_event import Ending, Outcome
from services.kernel.errors import ComptoirError, Reason

# A caller's own timer fires a little before ours: the time that its request spent on the way.
DEADLINE_TOLERANCE_SECONDS: Final = 0.1

DRAINED: Final = Ending(Outcome.SHED, Reason.REPLICA_DRAINING)
ENGINE_LOST: Final = Ending(Outcome.ENGINE_FAILED, Reason.ENGINE_FAILED)
_DEADLINE: Final = Ending(Outcome.DEADLINE, Reason.DEADLINE_EXCEEDED)
_CANCELLED: Final = Ending(Outcome.CLIENT_CANCELLED, Reason.CLIENT_CANCELLED)
_DEFECT: Final = Ending(Outcome.ENGINE_FAILED, Reason.INTERNAL)


def is_past(deadline_seconds: float | None, now_seconds: float) -> bool:
    """Returns True if the caller's deadline has passed, or is as good as past."""
    return deadline_seconds is not None and now_seconds >= deadline_seconds - DEADLINE_TOLERANCE_SECONDS


def outcome_of(finish: EngineFinish) -> Outcome:
    """Returns the outcome of a choice that the engine ended; RequestFailedError if it was aborted."""
    if finish is EngineFinish.STOP:
        return Outcome.STOP
    if finish is EngineFinish.LENGTH:
        return Outcome.LENGTH
    raise RequestFailedError


def outcome_of_all(outcomes: Sequence[Outcome]) -> Outcome:
    """Returns the outcome of an answer: the first choice's, but LENGTH where any reached its most tokens."""
    return Outcome.LENGTH if Outcome.LENGTH in outcomes else outcomes[0]


def ending_of(failure: BaseException, *, is_late: bool) -> Ending:
    """Returns the ending that a failure means; `is_late` tells a deadline from a caller who went away."""
    if isinstance(failure, (asyncio.CancelledError, CallerGoneError)):
        return _DEADLINE if is_late else _CANCELLED
    if isinstance(failure, TimeoutError):
        return _DEADLINE
    if isinstance(failure, ComptoirError):
        return Ending(Outcome.REFUSED, failure.reason)
    if isinstance(failure, (EngineFailedError, RequestFailedError)):
        return ENGINE_LOST
    return _DEFECT


def needs_translation(failure: BaseException) -> bool:
    """Returns True if the caller must be told a reason; anything else is one, or is for others to see."""
    return isinstance(failure, (CallerGoneError, EngineFailedError, RequestFailedError, TimeoutError))


def leaves_next_ticket(ending: Ending, *, is_delta_sent: bool) -> bool:
    """Returns True if the caller may use the next ticket of the same lease; False if its request is over."""
    if is_delta_sent:
        return False
    if ending.outcome in (Outcome.SHED, Outcome.ENGINE_FAILED):
        return True
    return ending.reason is Reason.REPLICA_OVERLOADED
