"""When a service asks for another replica than one that says nothing: as the edge, number for number."""

import math

import pytest
from comptoir.client.hedging import HedgeBudget, Hedging, Questions
from comptoir.error.v1.error_reason_pb2 import (
    ERROR_REASON_LEASE_ENDED,
    ERROR_REASON_NO_REPLICA,
    ERROR_REASON_REPLICA_OVERLOADED,
)
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.hedging import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from services.edge.domain.hedging import HedgeBudget as BudgetOfTheEdge
from services.edge.domain.hedging import Hedging as HedgingOfTheEdge
from services.kernel.backoff import Backoff


@given(st.lists(st.sampled_from(["earn", "spend", "give_back"]), max_size=300))
def test_as_many_requests_of_a_service_leave_their_replica_as_of_an_edge(acts: list[str]) -> None:
    ours, edges = HedgeBudget(), BudgetOfTheEdge()
    assert [getattr(ours, act)() for act in acts] == [getattr(edges, act)() for act in acts]


@given(st.floats(0, 100))
def test_a_replica_has_as_long_to_accept(seconds: float) -> None:
    assert Hedging(seconds).accepted_seconds == HedgingOfTheEdge(seconds).accepted_seconds


@given(st.lists(st.floats(0, 0.99), max_size=10))
def test_a_service_asks_again_as_late_as_the_edge(jitters: list[float]) -> None:
    questions, backoff = Questions(Hedging(1.0)), Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
    questions.begin(0.0)
    for jitter in jitters:
        questions.refused(ERROR_REASON_NO_REPLICA, 1000.0, jitter=jitter)
        pause_seconds = questions.due_at(is_accepted=True) - 1000.0
        assert pause_seconds == pytest.approx(backoff.next_seconds(jitter=jitter))


def test_a_replica_that_works_is_asked_about_when_its_token_is_late_and_one_without_a_lease_never() -> None:
    questions = Questions(Hedging(30.0))
    questions.begin(100.0)
    assert [questions.due_at(is_accepted=accepted) for accepted in (False, True)] == [105.0, 130.0]
    questions.refused(ERROR_REASON_REPLICA_OVERLOADED, 105.0, jitter=0.0)
    assert questions.due_at(is_accepted=False) == 130.0
    questions.refused(ERROR_REASON_LEASE_ENDED, 130.0, jitter=0.0)
    assert questions.due_at(is_accepted=True) == math.inf


def test_without_a_time_nobody_is_asked() -> None:
    questions = Questions(Hedging(0.0))
    questions.begin(100.0)
    assert [questions.due_at(is_accepted=accepted) for accepted in (False, True)] == [math.inf, math.inf]
