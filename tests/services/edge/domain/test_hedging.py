"""How many requests may leave a replica that says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.hedging import HedgeBudget, Hedging


def spent(budget: HedgeBudget, tries: int) -> int:
    return sum(budget.spend() for _ in range(tries))


def test_as_many_as_one_replica_has_may_leave_at_once_and_then_one_of_twenty() -> None:
    budget = HedgeBudget()
    assert spent(budget, 200) == 100
    for _ in range(39):
        budget.earn()
    assert spent(budget, 10) == 1


def test_what_is_not_used_is_there_for_others_and_never_more_than_at_first() -> None:
    budget = HedgeBudget()
    assert budget.spend()
    for _ in range(3):
        budget.give_back()
    assert spent(budget, 200) == 100


@given(st.lists(st.sampled_from(["earn", "spend", "give_back"]), max_size=400))
def test_no_more_leave_than_a_twentieth_of_the_requests_and_a_hundred(acts: list[str]) -> None:
    budget, out, requests = HedgeBudget(), 0, 0
    for act in acts:
        if act == "earn":
            budget.earn()
            requests += 1
        elif act == "spend":
            out += budget.spend()
        elif out:
            budget.give_back()
            out -= 1
        assert 0 <= out <= 100 + requests / 20 + 1e-6


@pytest.mark.parametrize(("first_token", "accepted"), [(30.0, 5.0), (1.0, 1.0), (0.0, 0.0)])
def test_a_replica_has_less_time_to_accept_than_its_ticket_lives(first_token: float, accepted: float) -> None:
    assert Hedging(first_token).accepted_seconds == accepted
