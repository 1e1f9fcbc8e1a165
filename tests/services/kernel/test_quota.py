"""A wait in milliseconds is never shorter than the wait, and a whole number of them stays itself."""

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.quota import wait_milliseconds


@given(st.integers(0, 2**32 - 1))
def test_a_whole_number_of_milliseconds_stays_itself(milliseconds: int) -> None:
    assert wait_milliseconds(milliseconds / 1000) == milliseconds


@given(st.floats(0, 1e6))
def test_a_wait_is_rounded_up(seconds: float) -> None:
    assert -1e-5 <= wait_milliseconds(seconds) - seconds * 1000 < 1


def test_the_shortest_wait_is_not_none() -> None:
    assert wait_milliseconds(1e-5) == 1
    assert wait_milliseconds(-1.0) == 0
