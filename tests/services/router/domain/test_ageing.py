"""A better class goes first among those that came together, and nothing waits behind all that come later."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.router.domain.ageing import Ageing

RULES = Ageing(default_yields_seconds=5.0, batch_yields_seconds=20.0)
PRIORITIES = st.sampled_from([0, 10, 20])


def test_classes_that_came_together_are_in_their_order() -> None:
    assert sorted((20, 0, 10), key=lambda priority: RULES.due_seconds(priority, 1.0)) == [0, 10, 20]


@given(PRIORITIES, PRIORITIES, st.floats(0, 1e6), st.floats(0, 1e6))
def test_what_has_waited_for_its_seconds_goes_before_all_that_comes_then(
    early: int, late: int, arrived: float, after: float
) -> None:
    if after > RULES.batch_yields_seconds:
        assert RULES.due_seconds(early, arrived) < RULES.due_seconds(late, arrived + after)


@given(PRIORITIES, st.floats(0, 1e6), st.floats(0, 1e6))
def test_of_one_class_the_first_to_come_goes_first(priority: int, one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert RULES.due_seconds(priority, early) <= RULES.due_seconds(priority, late)


def test_batch_yields_at_least_as_long_as_default() -> None:
    with pytest.raises(ValidationError):
        Ageing(default_yields_seconds=30.0, batch_yields_seconds=20.0)
