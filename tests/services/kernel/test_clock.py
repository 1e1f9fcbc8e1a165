"""Clocks: the machine's own goes forward, the manual one only when told."""

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock import ManualClock, SystemClock


def test_the_system_clock_tells_microseconds_of_this_century_and_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.wall_microseconds() > 1_700_000_000_000_000
    before = clock.monotonic_seconds()
    assert clock.monotonic_seconds() >= before


@given(seconds=st.lists(st.floats(0, 10_000), max_size=20))
def test_a_manual_clock_moves_both_times_by_the_same(seconds: list[float]) -> None:
    clock = ManualClock(wall_microseconds=0, monotonic_seconds=0.0)
    for step in seconds:
        clock.advance(step)
    assert abs(clock.wall_microseconds() / 1_000_000 - clock.monotonic_seconds()) < 0.001
    assert clock.wall_microseconds() == clock.wall_microseconds()
