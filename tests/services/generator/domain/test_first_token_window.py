"""What is counted of first tokens is that of the last minute, each request in its class and bucket."""

from hypothesis import given
from hypothesis import strategies as st

from services.contract.first_tokens import WINDOW_SECONDS, FirstTokens, bucket_of
from services.generator.domain.first_token_window import FirstTokenWindow

# Its ticket's class, how long it waited, and how long after the one before.
NOTED = st.lists(st.tuples(st.sampled_from([0, 10, 20]), st.floats(0, 2_000), st.floats(0, 20)), max_size=60)


def test_nothing_is_counted_before_a_first_token() -> None:
    assert FirstTokenWindow().read(5.0) == FirstTokens()


def test_each_class_has_its_own_counts() -> None:
    window = FirstTokenWindow()
    for priority in (0, 0, 10, 20):
        window.note(priority, 0.001, 1.0)
    window.note(20, 0.0011, 1.0)
    assert window.read(2.0) == FirstTokens((2,), (1,), (1, 1))


def test_a_ticket_between_two_classes_is_of_the_one_before_it() -> None:
    window = FirstTokenWindow()
    for priority in (9, 19, 255):
        window.note(priority, 0.001, 1.0)
    assert window.read(1.0) == FirstTokens((1,), (1,), (1,))


@given(NOTED)
def test_all_of_a_minute_less_a_slot_is_counted_and_nothing_older_than_a_minute(
    noted: list[tuple[int, float, float]],
) -> None:
    window, now, at = FirstTokenWindow(), 0.0, list[tuple[float, int, int]]()
    for priority, seconds, pause in noted:
        now += pause
        window.note(priority, seconds, now)
        at.append((now, priority, bucket_of(seconds)))
    found = window.read(now)
    for priority, row in ((0, found.interactive), (10, found.default), (20, found.batch)):
        young = sum(one == priority and now - noted_at < WINDOW_SECONDS - 5 for noted_at, one, _ in at)
        most = sum(one == priority and now - noted_at < WINDOW_SECONDS for noted_at, one, _ in at)
        assert young <= sum(row) <= most
        assert not row or row[-1] > 0
        assert {bucket for bucket, count in enumerate(row) if count} <= {b for _, p, b in at if p == priority}


def test_what_is_kept_is_bounded_however_long_it_runs() -> None:
    window = FirstTokenWindow()
    for number in range(10_000):
        window.note(0, 0.1, number / 10)
    assert len(window._slots) <= 13
    assert window.read(10_000.0) == FirstTokens()
