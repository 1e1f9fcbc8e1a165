"""Batch is held back above the target and goes on well below it, and few slow answers hold nobody back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.batch_holding import (
    BatchRules,
    HeldBy,
    Hold,
    Waits,
    hold_of,
    is_over_target,
    is_overdue,
    may_begin,
)

RULES = BatchRules(interactive_ttft_p95_seconds=2.0, release_share=0.8, least_samples=20)
WAITS = st.builds(
    Waits,
    ttft_p95_seconds=st.none() | st.floats(0, 100),
    samples=st.integers(0, 200),
    longest_seconds=st.floats(0, 10),
)


def over(p95: float | None, *, samples: int = 50, was_over: bool = False, longest: float = 0.0) -> bool:
    return is_over_target(Waits(p95, samples, longest), RULES, was_over=was_over)


def test_it_begins_above_the_target_and_ends_at_a_share_of_it() -> None:
    assert [over(p95) for p95 in (1.9, 2.0, 2.1)] == [False, False, True]
    assert [over(p95, was_over=True) for p95 in (1.9, 1.61, 1.6)] == [True, True, False]


def test_few_answers_hold_nobody_back_however_slow() -> None:
    assert not over(30.0, samples=19)
    assert not over(30.0, samples=19, was_over=True), "who would be protected is not there any more"
    assert not over(None, samples=0, was_over=True)


def test_an_interactive_request_that_the_router_holds_for_longer_than_the_target_counts_by_itself() -> None:
    assert [over(None, samples=0, longest=longest) for longest in (2.0, 2.1)] == [False, True]


def test_without_a_target_nothing_is_over_it() -> None:
    assert not is_over_target(Waits(99.0, 999, 99.0), BatchRules(), was_over=True)


@given(WAITS)
def test_what_is_over_the_target_stays_over_it_until_less_is_waited(waits: Waits) -> None:
    if is_over_target(waits, RULES, was_over=False):
        assert is_over_target(waits, RULES, was_over=True)


@given(WAITS, st.floats(0, 1e6), st.booleans())
def test_a_peak_says_how_long_it_lasts_and_lets_nothing_through(
    waits: Waits, peak_seconds: float, is_over: bool
) -> None:
    hold = hold_of(waits, peak_seconds=peak_seconds, is_over=is_over)
    if peak_seconds:
        assert (hold.by, hold.left_seconds) == (HeldBy.PEAK_WINDOW, peak_seconds)
        assert not may_begin(hold, since_last_seconds=math.inf, rules=RULES)
    else:
        assert hold.by is (HeldBy.FIRST_TOKENS if is_over else HeldBy.NOTHING)


@pytest.mark.parametrize(("since", "may"), [(0.0, False), (9.9, False), (10.0, True), (math.inf, True)])
def test_held_back_by_waits_one_begins_now_and_then(since: float, may: bool) -> None:
    assert may_begin(Hold(HeldBy.FIRST_TOKENS), since_last_seconds=since, rules=RULES) is may
    assert may_begin(Hold(), since_last_seconds=since, rules=RULES)


@pytest.mark.parametrize(
    ("deadline", "waited", "is_over"), [(None, 1e6, False), (60.0, 59.9, False), (60.0, 60.0, True)]
)
def test_one_is_overdue_from_its_deadline_on_if_it_has_one(
    deadline: float | None, waited: float, is_over: bool
) -> None:
    assert is_overdue(waited, BatchRules(deadline_seconds=deadline)) is is_over
