"""Class decides among requests that came together, age among all others, and no number changes."""

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.queueing import QueueOrder

QUEUE = QueueOrder(default_yields_seconds=5.0, batch_yields_seconds=60.0)
MOMENTS = st.floats(min_value=0, max_value=1e9)
CLASSES = st.sampled_from([0, 10, 20])


@given(MOMENTS)
def test_of_one_moment_interactive_goes_first_and_batch_last(moment: float) -> None:
    interactive, default, batch = (QUEUE.number(priority, moment) for priority in (0, 10, 20))
    assert interactive < default < batch


@given(MOMENTS, st.floats(min_value=60.01, max_value=1e6), CLASSES, CLASSES)
def test_whatever_waited_for_its_seconds_goes_before_all_that_come_then(
    moment: float, later: float, waiting: int, coming: int
) -> None:
    assert QUEUE.number(waiting, moment) < QUEUE.number(coming, moment + later)


@given(MOMENTS, st.floats(min_value=0.01, max_value=1e6), CLASSES)
def test_of_one_class_the_earlier_goes_first(moment: float, later: float, priority: int) -> None:
    assert QUEUE.number(priority, moment) < QUEUE.number(priority, moment + later)


@given(st.integers(0, 255))
def test_a_number_between_two_classes_is_of_the_one_before(priority: int) -> None:
    assert QUEUE.number(priority, 1.0) == QUEUE.number(min(20, priority // 10 * 10), 1.0)
