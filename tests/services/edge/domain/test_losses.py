"""A request without text asks again for a replica, and neither for ever nor to break one after the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.losses import Losses
from services.kernel.errors import Reason


def pause(losses: Losses, tried: float = 0.0, *, accepted: int = 0, jitter: float = 0.0) -> float | None:
    return losses.pause_seconds(Reason.UNAVAILABLE, accepted=accepted, tried_seconds=tried, jitter=jitter)


@pytest.mark.parametrize("reason", [one for one in Reason if one.row.http_status < 500])
def test_what_its_caller_must_change_is_not_asked_again(reason: Reason) -> None:
    losses = Losses(unreachable_seconds=10)
    assert losses.pause_seconds(reason, accepted=0, tried_seconds=0, jitter=0) is None


@pytest.mark.parametrize(
    "reason", [Reason.ENGINE_FAILED, Reason.REPLICA_OVERLOADED, Reason.NO_REPLICA, Reason.USAGE_NOT_RECORDED]
)
def test_a_replica_that_is_there_is_no_loss(reason: Reason) -> None:
    losses = Losses(unreachable_seconds=10)
    assert losses.pause_seconds(reason, accepted=0, tried_seconds=0, jitter=0) is None


def test_replicas_that_cannot_be_reached_are_asked_for_with_growing_pauses_and_not_for_ever() -> None:
    losses = Losses(unreachable_seconds=10)
    assert [pause(losses) for _ in range(6)] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0]
    # So far 2.55 s of pauses.
    assert pause(losses, 3.0) == 1.0
    assert pause(losses, 3.4) == 1.0
    assert pause(losses) is None


def test_what_the_router_had_it_wait_for_is_not_counted() -> None:
    losses = Losses(unreachable_seconds=10)
    # Each is told after an admission that was held for as long as it liked.
    assert None not in [pause(losses, 0.001) for _ in range(10)]


def test_without_the_time_for_it_nobody_is_asked_again() -> None:
    assert pause(Losses(unreachable_seconds=0)) is None


def test_a_request_that_breaks_the_replicas_that_accept_it_breaks_three_at_most() -> None:
    one_by_one = Losses(unreachable_seconds=10)
    assert [pause(one_by_one, accepted=1) is None for _ in range(3)] == [False, False, True]
    assert pause(Losses(unreachable_seconds=10), accepted=3) is None


def test_a_replica_that_was_reached_in_between_begins_the_time_anew() -> None:
    losses = Losses(unreachable_seconds=10)
    assert pause(losses, 9.0) is not None
    assert pause(losses, 9.0, accepted=1) is not None
    assert pause(losses, 9.0) is not None
    assert pause(losses, 9.0) is None


@given(st.floats(0, 0.99), st.lists(st.floats(0, 3), max_size=20))
def test_pauses_are_never_long_and_end(jitter: float, tries: list[float]) -> None:
    losses = Losses(unreachable_seconds=10)
    found = [pause(losses, tried, jitter=jitter) for tried in tries]
    assert all(one is None or 0 < one <= 1 for one in found)
    assert sum(tries) < 10 or None in found
