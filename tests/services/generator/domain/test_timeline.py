from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.timeline import Timeline

GAPS = st.lists(st.floats(min_value=0, max_value=100), max_size=30)


@given(received=st.floats(min_value=0, max_value=1e6), gaps=GAPS, tail=st.floats(min_value=0, max_value=10))
def test_the_durations_follow_from_the_stamps(received: float, gaps: list[float], tail: float) -> None:
    timeline, now, stamps = Timeline(received), received, []
    for gap in gaps:
        now += gap
        stamps.append(now)
        timeline.output(now)
    timings = timeline.close(now + tail)
    if not stamps:
        assert timings.ttft_microseconds == 0
        assert abs(timings.duration_microseconds - tail * 1e6) <= 1000
        return
    assert abs(timings.ttft_microseconds - gaps[0] * 1e6) <= 1000
    assert 0 <= timings.ttft_microseconds <= timings.duration_microseconds
    assert timings.ttft_microseconds + timings.max_itl_microseconds <= timings.duration_microseconds + 2
    longest = max((later - earlier for earlier, later in pairwise(stamps)), default=0)
    assert abs(timings.max_itl_microseconds - longest * 1e6) <= 1


def test_waits_of_the_engine_stay_once_they_are_known() -> None:
    timeline = Timeline(10.0)
    timeline.engine_waits(queue_seconds=0.0, prefill_seconds=0.0)
    timeline.engine_waits(queue_seconds=0.25, prefill_seconds=0.5)
    timeline.engine_waits(queue_seconds=0.0, prefill_seconds=0.0)
    timings = timeline.close(11.0)
    assert (timings.queue_microseconds, timings.prefill_microseconds) == (250_000, 500_000)


def test_a_clock_of_the_engine_that_runs_backwards_gives_no_negative_wait() -> None:
    timeline = Timeline(10.0)
    timeline.engine_waits(queue_seconds=-1.0, prefill_seconds=-1.0)
    timings = timeline.close(11.0)
    assert (timings.queue_microseconds, timings.prefill_microseconds) == (0, 0)


def test_a_first_output_is_late_by_what_the_engine_s_own_waits_do_not_explain() -> None:
    timeline = Timeline(100.0)
    assert timeline.late_seconds == 0.0
    timeline.output(110.0)
    assert timeline.late_seconds == 0.0, "the engine does not say when it had it"
    timeline.engine_waits(queue_seconds=2.0, prefill_seconds=0.5)
    timeline.output(120.0)
    assert timeline.late_seconds == 7.5
