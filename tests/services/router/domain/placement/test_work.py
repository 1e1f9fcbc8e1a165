"""What a report says of the work before a new request, and what is made of what it does not say."""

import pytest

from services.router.domain.placement.replica import Load
from services.router.domain.placement.work import (
    backlog_of,
    is_at_work,
    trusted_speed,
    usual_speed,
    work_seconds,
)
from tests.fakes.router import IDLE, NOW, ask, busy, replica


def test_prompts_that_wait_are_counted_in_tokens_and_guessed_where_they_are_not_said() -> None:
    said = busy(waiting=2, waiting_input_tokens=700, input_tokens_per_second=100)
    assert backlog_of(said, 50, NOW).left_seconds(NOW, 9.0) == 7.5
    assert backlog_of(busy(waiting=2), 0, NOW).tokens > 0
    assert backlog_of(busy(waiting=2, waiting_input_tokens=0), 0, NOW).tokens == 0


def test_work_is_what_waits_and_the_request_itself_at_the_replica_s_speed() -> None:
    load = busy(waiting_input_tokens=1_000, input_tokens_per_second=500)
    seconds = work_seconds(replica(1, load=load), ask(input_tokens=250), 500.0)
    assert seconds == pytest.approx(2.5)
    later = work_seconds(replica(1, load=load), ask(input_tokens=250, now=NOW + 1), 500.0)
    assert later == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("said", "trusted"), [(None, 1000), (600, 1000), (1900, 1000), (400, 400), (3000, 3000)]
)
def test_a_speed_that_is_near_that_of_the_others_is_theirs(said: int | None, trusted: float) -> None:
    assert trusted_speed(said, 1000.0) == trusted


def test_a_replica_without_a_speed_is_as_fast_as_the_others() -> None:
    speeds = [replica(n, load=busy(input_tokens_per_second=n * 100)) for n in (1, 2, 9)]
    assert usual_speed([*speeds, replica(4)]) == 200
    assert usual_speed([replica(4)]) > 0


def test_an_engine_that_stands_still_with_requests_is_worse_than_every_other() -> None:
    stands = replica(1, load=busy(running=1, age_seconds=6))
    full = replica(2, load=busy(running=9, waiting=9, kv_usage_permille=1000), in_flight=18)
    assert work_seconds(stands, ask(), 1000) > work_seconds(full, ask(), 1000)


@pytest.mark.parametrize(
    ("load", "heard_seconds", "works"),
    [
        (busy(running=3, waiting=40, age_seconds=4.9), 1.0, True),
        (busy(running=1, age_seconds=5.1), 1.0, False),
        (IDLE, 1.0, True),
        (IDLE, 2.6, False),
        (None, 0.0, False),
    ],
)
def test_a_replica_works_that_was_heard_lately_and_whose_engine_makes_steps(
    load: Load | None, heard_seconds: float, *, works: bool
) -> None:
    assert is_at_work(replica(1, load=load), NOW + heard_seconds, stale_after_seconds=5.0) is works
