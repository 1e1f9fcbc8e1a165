import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.emitter.domain.backoff import FIRST_SECONDS, LONGEST_SECONDS, pause_seconds

SPREAD = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), SPREAD)
def test_a_pause_is_bounded_both_ways(failures: int, spread: float) -> None:
    assert FIRST_SECONDS / 2 <= pause_seconds(failures, spread) <= LONGEST_SECONDS


@given(st.integers(1, 10_000), SPREAD)
def test_a_pause_does_not_shrink_with_more_failures(failures: int, spread: float) -> None:
    assert pause_seconds(failures, spread) <= pause_seconds(failures + 1, spread)


def test_pauses_are_spread() -> None:
    assert [pause_seconds(3, spread) for spread in (0.0, 0.5)] == pytest.approx([0.2, 0.3])
