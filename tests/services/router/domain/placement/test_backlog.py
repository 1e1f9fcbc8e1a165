"""Between two reports what was sent adds to what waits, and time takes it away."""

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.placement.backlog import Backlog

amounts = st.floats(0, 1e6)


def test_what_waits_is_computed_as_time_goes_by_and_never_more_than_all() -> None:
    backlog = Backlog(1_000, at_seconds=10, tokens_per_second=500)
    assert backlog.left_tokens(11) == 500
    assert backlog.left_seconds(11, 9.0) == 1
    assert backlog.left_tokens(60) == backlog.left_seconds(60, 9.0) == 0


def test_a_replica_that_does_not_say_its_speed_has_that_of_the_others() -> None:
    assert Backlog(1_000, at_seconds=10).left_seconds(11, 250.0) == 3
    assert Backlog(1_000, at_seconds=10).left_tokens(11) < 1_000


def test_a_request_is_added_to_what_is_left_and_taken_away_where_it_is_counted_elsewhere() -> None:
    backlog = Backlog(1_000, at_seconds=10, tokens_per_second=500).with_more(300, 11)
    assert backlog == Backlog(800, 11, 500)
    assert backlog.without(300) == Backlog(500, 11, 500)
    assert backlog.without(9_000).tokens == 0


@given(amounts, st.integers(0, 10**6), amounts, amounts)
def test_a_request_never_makes_a_replica_look_less_busy(
    tokens: float, more: int, sent_after: float, read_after: float
) -> None:
    backlog = Backlog(tokens, 0.0, 100.0)
    sent = backlog.with_more(more, sent_after)
    read = sent_after + read_after
    assert sent.left_tokens(read) >= backlog.left_tokens(read) - 1e-3
