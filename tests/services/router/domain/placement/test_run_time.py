"""When a request would be done follows from what replicas said of their pace, and from nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.placement.replica import Load
from services.router.domain.placement.run_time import answer_seconds, lateness_seconds, run_seconds
from services.router.domain.placement.work import work_seconds
from tests.fakes.router import ask, busy, replica

USUAL = 1_000.0
LONG = replace(ask(input_tokens=1_000), output_tokens=500)


def paced(output_rate: int, *, running: int = 1, waiting_tokens: int = 0) -> Load:
    return busy(
        running=running,
        output_tokens_per_second=output_rate,
        input_tokens_per_second=1_000,
        waiting_input_tokens=waiting_tokens,
    )


def test_it_is_the_work_before_the_first_token_and_the_answer_at_the_pace_of_one_request() -> None:
    one = replica(1, load=paced(200, running=4, waiting_tokens=3_000))
    assert answer_seconds(one.load, LONG) == pytest.approx(10.0)
    assert run_seconds(one, LONG, USUAL) == pytest.approx(work_seconds(one, LONG, USUAL) + 10.0)
    assert work_seconds(one, LONG, USUAL) >= 4.0


@pytest.mark.parametrize("load", [None, busy(running=1), busy(running=1, output_tokens_per_second=0)])
def test_a_replica_that_does_not_say_its_pace_has_no_run_time(load: Load | None) -> None:
    assert run_seconds(replica(1, load=load), LONG, USUAL) is None


def test_one_that_runs_nothing_now_is_as_fast_as_it_last_was() -> None:
    assert answer_seconds(paced(100, running=0), LONG) == pytest.approx(5.0)


def test_lateness_is_beyond_what_the_fastest_takes_for_the_answer_alone() -> None:
    slow, fast = replica(1, load=paced(50)), replica(2, load=paced(250))
    late = lateness_seconds([slow, fast], [slow, fast], LONG)
    assert late[1] - late[2] == pytest.approx(8.0)
    assert late[2] == pytest.approx(work_seconds(fast, LONG, USUAL))


def test_where_one_pace_is_unknown_all_are_compared_by_their_beginning() -> None:
    slow, unknown = replica(1, load=paced(1)), replica(2, load=busy(running=1))
    late = lateness_seconds([slow, unknown], [slow, unknown], LONG)
    assert late == {one.registration.replica: work_seconds(one, LONG, USUAL) for one in (slow, unknown)}


@given(
    st.lists(
        st.tuples(st.integers(1, 10_000), st.integers(0, 256), st.integers(0, 10**6)), min_size=1, max_size=8
    ),
    st.integers(0, 100_000),
)
def test_nobody_is_done_before_it_began_and_a_longer_answer_is_never_sooner(
    said: list[tuple[int, int, int]], output_tokens: int
) -> None:
    pool = [
        replica(number, load=paced(rate, running=running, waiting_tokens=tokens))
        for number, (rate, running, tokens) in enumerate(said, start=1)
    ]
    one, longer = replace(LONG, output_tokens=output_tokens), replace(LONG, output_tokens=output_tokens + 1)
    for each in pool:
        found, later = run_seconds(each, one, USUAL), run_seconds(each, longer, USUAL)
        assert found is not None
        assert later is not None
        assert work_seconds(each, one, USUAL) <= found <= later
    assert all(late >= 0 for late in lateness_seconds(pool, pool, one).values())
