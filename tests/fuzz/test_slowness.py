"""What computes too long fails, and what was held up once does not."""

import time
from collections.abc import Callable

import pytest

from tests.fuzz.slowness import TooSlowError, within_bound


def clock_of(*seconds: float) -> Callable[[], float]:
    """A clock in which each call takes so long."""
    times: list[float] = []
    for taken in seconds:
        times += [0.0, taken]
    return iter(times).__next__


def test_one_slow_try_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "thread_time", clock_of(0.4, 0.05))
    assert within_bound(lambda: "done") == "done"


def test_what_is_slow_each_time_is_told_by_its_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "thread_time", clock_of(0.4, 0.3, 0.5))
    with pytest.raises(TooSlowError, match=r"0\.300 s"):
        within_bound(lambda: "done")
