"""Whatever the router is told, its derived times keep their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.contract.ticket import TICKET_MAX_LIFETIME_SECONDS, TICKET_MAX_SKEW_SECONDS
from services.router.domain.batch_holding import BatchRules
from services.router.domain.limits import RouterLimits


@given(lifetime_seconds=st.floats(0.1, TICKET_MAX_LIFETIME_SECONDS), delay_seconds=st.floats(0, 60))
def test_a_ticket_is_dead_before_its_reservation_ends_and_a_wrong_clock_takes_half_of_it_at_most(
    lifetime_seconds: float, delay_seconds: float
) -> None:
    limits = RouterLimits(ticket_lifetime_seconds=lifetime_seconds, acceptance_delay_seconds=delay_seconds)
    assert limits.reserved_seconds >= lifetime_seconds
    assert limits.clock_tolerance_seconds <= min(lifetime_seconds / 2, TICKET_MAX_SKEW_SECONDS)


@given(longest_seconds=st.floats(1, 3600), silent_seconds=st.floats(0.1, 60))
def test_a_place_outlives_the_longest_generation_and_a_replica_its_own_silence(
    longest_seconds: float, silent_seconds: float
) -> None:
    limits = RouterLimits(max_generation_seconds=longest_seconds, report_timeout_seconds=silent_seconds)
    assert limits.accepted_seconds >= longest_seconds
    assert limits.replica_silent_seconds > silent_seconds


def test_a_ticket_cannot_live_longer_than_replicas_remember_it() -> None:
    with pytest.raises(ValidationError, match="ticket_lifetime_seconds"):
        RouterLimits(ticket_lifetime_seconds=TICKET_MAX_LIFETIME_SECONDS + 1)


@pytest.mark.parametrize("hold_seconds", [0.0, 30.0, 60.0])
def test_a_deadline_of_batch_comes_before_its_refusal(hold_seconds: float) -> None:
    with pytest.raises(ValidationError, match="below hold_seconds"):
        RouterLimits(hold_seconds=hold_seconds, batch=BatchRules(deadline_seconds=60.0))
    RouterLimits(hold_seconds=61.0, batch=BatchRules(deadline_seconds=60.0))
