from hypothesis import given
from hypothesis import strategies as st

from services.emitter.domain.epoch import Epoch

NOW = 1_790_000_000_000_000
WINDOW_SECONDS = 60.0
WINDOW_MICROSECONDS = 60_000_000


@given(st.integers(0, WINDOW_MICROSECONDS - 1))
def test_within_the_window_the_epoch_goes_on(age: int) -> None:
    assert Epoch(7, NOW).at(NOW + age, WINDOW_SECONDS) == Epoch(7, NOW)


@given(st.integers(WINDOW_MICROSECONDS, 10**15))
def test_after_a_pause_of_any_length_the_next_epoch_begins_and_lasts_a_whole_window(pause: int) -> None:
    after = Epoch(7, NOW).at(NOW + pause, WINDOW_SECONDS)
    assert after == Epoch(8, NOW + pause)
    assert after.at(NOW + pause + WINDOW_MICROSECONDS - 1, WINDOW_SECONDS).number == 8


@given(st.integers(1, 10**15))
def test_a_clock_that_is_set_back_begins_no_epoch(back: int) -> None:
    assert Epoch(7, NOW).at(NOW - back, WINDOW_SECONDS) == Epoch(7, NOW - back)
