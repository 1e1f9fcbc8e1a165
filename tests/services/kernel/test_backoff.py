import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.backoff import Backoff

FIRST = st.floats(0.001, 10)
LONGEST = st.floats(10, 1000)
JITTERS = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=100)


@given(FIRST, LONGEST, JITTERS)
def test_waits_double_from_the_first_to_the_longest_and_are_cut_by_up_to_half(
    first: float, longest: float, jitters: list[float]
) -> None:
    backoff = Backoff(first, longest)
    for failures, jitter in enumerate(jitters):
        whole = min(first * 2**failures, longest)
        assert whole / 2 <= backoff.next_seconds(jitter=jitter) <= whole


def test_without_jitter_a_wait_is_whole() -> None:
    backoff = Backoff(0.1, 0.4)
    assert [backoff.next_seconds(jitter=0.0) for _ in range(4)] == pytest.approx([0.1, 0.2, 0.4, 0.4])


def test_an_outage_of_years_waits_no_longer_than_the_longest() -> None:
    backoff = Backoff(0.1, 5.0)
    assert max(backoff.next_seconds(jitter=0.0) for _ in range(10_000)) == pytest.approx(5.0)


def test_after_a_success_waits_are_short_again() -> None:
    backoff = Backoff(0.1, 5.0)
    for _ in range(3):
        backoff.next_seconds(jitter=0.5)
    assert backoff.failures == 3
    backoff.reset()
    assert backoff.failures == 0
    assert backoff.next_seconds(jitter=0.0) == pytest.approx(0.1)
