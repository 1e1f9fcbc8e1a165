import asyncio

import pytest

from services.generator.domain.delta import EngineFinish
from services.generator.domain.endings import (
    ending_of,
    is_past,
    leaves_next_ticket,
    outcome_of,
    outcome_of_all,
)
from services.generator.domain.ports import CallerGoneError, EngineFailedError, RequestFailedError
from services.generator.domain.terminal_event import Ending, Outcome
from services.kernel.errors import ComptoirError, Reason


@pytest.mark.parametrize(
    ("failure", "outcome", "reason"),
    [
        (asyncio.CancelledError(), Outcome.CLIENT_CANCELLED, Reason.CLIENT_CANCELLED),
        (CallerGoneError(), Outcome.CLIENT_CANCELLED, Reason.CLIENT_CANCELLED),
        (TimeoutError(), Outcome.DEADLINE, Reason.DEADLINE_EXCEEDED),
        (ComptoirError(Reason.CONTEXT_TOO_LONG), Outcome.REFUSED, Reason.CONTEXT_TOO_LONG),
        (EngineFailedError(), Outcome.ENGINE_FAILED, Reason.ENGINE_FAILED),
        (RequestFailedError(), Outcome.ENGINE_FAILED, Reason.ENGINE_FAILED),
        (ZeroDivisionError(), Outcome.ENGINE_FAILED, Reason.INTERNAL),
    ],
)
def test_every_failure_has_one_ending(failure: BaseException, outcome: Outcome, reason: Reason) -> None:
    assert ending_of(failure, is_late=False) == Ending(outcome, reason)


def test_a_cancel_after_the_deadline_is_the_deadline() -> None:
    assert ending_of(asyncio.CancelledError(), is_late=True).outcome is Outcome.DEADLINE


def test_a_deadline_counts_as_past_a_moment_before_it_is() -> None:
    assert not is_past(None, 10.0)
    assert not is_past(20.0, 19.8)
    assert is_past(20.0, 19.95)


def test_an_abort_is_no_answer() -> None:
    assert outcome_of(EngineFinish.STOP) is Outcome.STOP
    assert outcome_of(EngineFinish.LENGTH) is Outcome.LENGTH
    with pytest.raises(RequestFailedError):
        outcome_of(EngineFinish.ABORT)


def test_an_answer_of_several_choices_ended_at_its_length_if_one_of_them_did() -> None:
    assert outcome_of_all([Outcome.STOP, Outcome.STOP]) is Outcome.STOP
    assert outcome_of_all([Outcome.STOP, Outcome.LENGTH]) is Outcome.LENGTH


def test_the_next_ticket_may_serve_only_where_the_replica_failed_before_any_text() -> None:
    lost = Ending(Outcome.ENGINE_FAILED, Reason.ENGINE_FAILED)
    overloaded = Ending(Outcome.REFUSED, Reason.REPLICA_OVERLOADED)
    assert leaves_next_ticket(lost, is_delta_sent=False)
    assert leaves_next_ticket(overloaded, is_delta_sent=False)
    assert not leaves_next_ticket(lost, is_delta_sent=True)
    assert not leaves_next_ticket(Ending(Outcome.REFUSED, Reason.CONTEXT_TOO_LONG), is_delta_sent=False)
    cancelled = Ending(Outcome.CLIENT_CANCELLED, Reason.CLIENT_CANCELLED)
    assert not leaves_next_ticket(cancelled, is_delta_sent=False)
    assert not leaves_next_ticket(Ending(Outcome.STOP), is_delta_sent=False)
