"""What the blocking client does later, in one thread of its own."""

import threading
import time
from functools import partial

import pytest
from comptoir.client.alarms import Alarms
from hypothesis import given, settings
from hypothesis import strategies as st

WAIT_SECONDS = 5.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=8))
def test_each_acts_once_in_the_order_of_their_times_unless_it_was_cancelled(
    asked: list[tuple[int, bool]],
) -> None:
    alarms, acted, is_last = Alarms(), list[int](), threading.Event()
    begun = time.monotonic()
    # The thread does nothing before all are asked for, however long that takes.
    with alarms._news:
        for milliseconds, is_cancelled in asked:
            alarm = alarms.at(begun + milliseconds / 1000, partial(acted.append, milliseconds))
            if is_cancelled:
                alarm.cancel()
        alarms.at(begun + 0.05, is_last.set)
    assert is_last.wait(WAIT_SECONDS)
    alarms.close()
    assert acted == sorted(each for each, is_cancelled in asked if not is_cancelled)


def test_one_that_is_due_earlier_than_the_first_is_not_late() -> None:
    alarms, has_acted = Alarms(), threading.Event()
    alarms.at(time.monotonic() + 3600, has_acted.set)
    alarms.at(time.monotonic(), has_acted.set)
    assert has_acted.wait(WAIT_SECONDS)
    alarms.close()


def test_closing_ends_the_thread_and_what_is_due_is_left_undone() -> None:
    alarms, acted = Alarms(), list[int]()
    alarms.at(time.monotonic() + 3600, lambda: acted.append(1))
    alarms.close()
    alarms.at(time.monotonic(), lambda: acted.append(2))
    alarms.close()
    assert acted == []
    assert "comptoir-hedges" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("closes", [1, 2])
def test_without_an_alarm_there_is_no_thread(closes: int) -> None:
    alarms = Alarms()
    for _ in range(closes):
        alarms.close()
    assert alarms._thread is None
