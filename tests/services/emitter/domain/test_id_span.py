from hypothesis import given
from hypothesis import strategies as st

from services.emitter.domain.id_span import IdSpan

NOW = 1000.0
WINDOW_SECONDS = 60.0


@given(st.floats(0, WINDOW_SECONDS - 1e-3))
def test_within_the_window_the_epoch_goes_on(age: float) -> None:
    after = IdSpan(7, 0.0, NOW).at(NOW + age, WINDOW_SECONDS)
    assert after.number == 7
    assert 0 <= after.passed_seconds < WINDOW_SECONDS


@given(st.floats(WINDOW_SECONDS, 1e9))
def test_after_a_pause_of_any_length_the_next_epoch_begins_and_lasts_a_whole_window(pause: float) -> None:
    after = IdSpan(7, 0.0, NOW).at(NOW + pause + 1e-3, WINDOW_SECONDS)
    assert after == IdSpan(8, 0.0, NOW + pause + 1e-3)
    assert after.at(after.seen_at_seconds + WINDOW_SECONDS - 1, WINDOW_SECONDS).number == 8


@given(st.floats(0, 1e9))
def test_a_clock_that_went_back_begins_no_epoch_and_loses_no_time(back: float) -> None:
    after = IdSpan(7, 20.0, NOW).at(NOW - back, WINDOW_SECONDS)
    assert after == IdSpan(7, 20.0, NOW - back)


@given(st.lists(st.floats(0, 50), max_size=30))
def test_steps_add_up_to_the_time_that_passed(steps: list[float]) -> None:
    epoch, now = IdSpan(0, 0.0, NOW), NOW
    begun = now
    for step in steps:
        now += step
        before, epoch = epoch, epoch.at(now, WINDOW_SECONDS)
        if epoch.number > before.number:
            assert now - begun >= WINDOW_SECONDS - 1e-6
            begun = now
