"""A replica that is about to be ready is worth a wait, and only as long as it is expected."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.limits import RouterLimits
from services.router.domain.placement.expecting import expected_seconds, patience_seconds
from services.router.domain.placement.replica import State
from tests.fakes.router import changed_limits

LIMITS = changed_limits(hold_seconds=30.0, replica_return_seconds=5.0, place_wait_seconds=0.1)
NEVER = math.inf


def expected(
    *states: State,
    ready_ago: float = NEVER,
    left_ago: float = NEVER,
    started_ago: float = NEVER,
    limits: RouterLimits = LIMITS,
) -> float:
    return expected_seconds(
        states,
        since_ready_seconds=ready_ago,
        since_left_seconds=left_ago,
        since_started_seconds=started_ago,
        limits=limits,
    )


@pytest.mark.parametrize("state", [State.STARTING, State.SILENT])
def test_a_replica_that_starts_or_is_late_is_expected_while_it_is_registered(state: State) -> None:
    assert expected(state) == math.inf
    assert expected(State.DRAINING, state) == math.inf


@pytest.mark.parametrize("state", [State.CLOCK_WRONG, State.DRAINING])
def test_a_replica_that_only_somebody_can_make_ready_is_not_expected(state: State) -> None:
    assert expected(state) == 0


def test_a_model_that_was_served_until_now_is_expected_to_be_served_again() -> None:
    assert expected(ready_ago=0) == 30
    assert expected(ready_ago=29) == pytest.approx(1)
    assert expected(ready_ago=31) == 0
    assert expected(State.DRAINING, ready_ago=10) == pytest.approx(20)


def test_a_replica_that_left_before_it_was_ever_ready_is_expected_for_the_time_it_may_be_away() -> None:
    assert expected(left_ago=1) == 4
    assert expected(left_ago=5) == 0
    assert expected(ready_ago=28, left_ago=1) == 4


def test_a_router_that_has_just_started_expects_the_replicas_that_knew_the_one_before() -> None:
    assert expected(started_ago=1) == 4
    assert expected(started_ago=5) == 0


def test_a_model_whose_engine_starts_after_the_router_is_expected_for_as_long_as_the_operator_says() -> None:
    limits = LIMITS.model_copy(update={"first_replica_seconds": 600.0})
    assert expected(started_ago=10, limits=limits) == 590
    assert expected(started_ago=10, left_ago=1, limits=limits) == 590, "it ended before it was ever ready"
    assert expected(started_ago=10, ready_ago=9, left_ago=9, limits=limits) == pytest.approx(21), "was served"
    assert expected(started_ago=600, limits=limits) == 0


def patience(
    *, is_ready: bool, is_held: bool = False, waited: float = 0, expected: float = math.inf
) -> float:
    return patience_seconds(
        LIMITS, is_ready=is_ready, is_held=is_held, waited_seconds=waited, expected_seconds=expected
    )


def test_full_replicas_are_worth_a_moment_and_missing_ones_a_hold() -> None:
    assert patience(is_ready=True) == 0.1
    assert patience(is_ready=False) == 30
    assert patience(is_ready=False, waited=2, expected=4) == 6
    assert patience(is_ready=False, expected=0) == 0


def test_a_request_that_was_held_waits_for_its_place_as_long_as_for_the_replica() -> None:
    assert patience(is_ready=True, is_held=True) == 30


@given(st.booleans(), st.booleans(), st.floats(0, 1e4), st.floats(0, 1e4))
def test_no_request_waits_longer_than_the_settings_say(
    is_ready: bool, is_held: bool, waited: float, expected_for: float
) -> None:
    assert patience(is_ready=is_ready, is_held=is_held, waited=waited, expected=expected_for) <= 30
