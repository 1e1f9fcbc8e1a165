"""A delay never looks like a fast clock, and one quick report is enough to see a slow one."""

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.clock_offset import ClockOffset

NOW = 1_700_000_000_000_000


def heard(offset_seconds: float, *delays: float) -> float | None:
    offset = ClockOffset()
    for delay in delays:
        offset.hear(
            sent_at_microseconds=NOW + round(offset_seconds * 1e6),
            heard_at_microseconds=NOW + round(delay * 1e6),
        )
    return offset.seconds


def test_a_sender_that_says_no_times_has_no_offset() -> None:
    offset = ClockOffset()
    offset.hear(sent_at_microseconds=0, heard_at_microseconds=NOW)
    assert offset.seconds is None


@given(st.floats(-1e5, 1e5), st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_the_quickest_of_the_last_reports_counts(offset_seconds: float, delays: list[float]) -> None:
    measured = heard(offset_seconds, *delays)
    assert measured is not None
    assert abs(measured - (offset_seconds - min(delays))) < 1e-5
    assert measured <= offset_seconds + 1e-5


def test_a_clock_that_was_set_right_is_believed_after_a_few_reports() -> None:
    offset = ClockOffset()
    for sent_at in [NOW + 10_000_000] * 3 + [NOW] * 5:
        offset.hear(sent_at_microseconds=sent_at, heard_at_microseconds=NOW)
    assert offset.seconds == 0
