"""A replica that does not become ready is no capacity that is coming, by its time or by its restarts."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from services.router.domain.placement.replica import State
from services.router.domain.starts import Heard, Starts

BOUND_SECONDS = 100.0


def starting(number: int = 1, incarnation: int = 1) -> Heard:
    return Heard(number, incarnation, State.STARTING)


def ready(number: int = 1, incarnation: int = 1) -> Heard:
    return Heard(number, incarnation, State.READY)


def seen(*steps: tuple[float, Iterable[Heard]]) -> tuple[int, int]:
    """How many start and how many fail to, after these moments."""
    starts = Starts(BOUND_SECONDS)
    for now, heard in steps:
        found = starts.hear(heard, now)
    return found.starting, found.failing


def test_a_replica_that_loads_is_coming_until_it_takes_too_long() -> None:
    assert seen((0, [starting()])) == (1, 0)
    assert seen((0, [starting()]), (100, [starting()])) == (1, 0)
    assert seen((0, [starting()]), (100.1, [starting()])) == (0, 1)


def test_a_replica_that_was_ready_begins_anew() -> None:
    assert seen((0, [starting()]), (90, [ready()]), (110, [starting(incarnation=2)])) == (1, 0)
    assert seen((0, [starting()]), (200, [ready()])) == (0, 0)


def test_one_whose_processes_ended_three_times_before_they_were_ready_is_not_coming() -> None:
    ended = [(float(number), [starting(incarnation=number)]) for number in range(1, 4)]
    assert seen(*ended) == (1, 0)
    assert seen(*ended, (4, [starting(incarnation=4)])) == (0, 1)
    assert seen(*ended, (4, [starting(incarnation=4)]), (5, [])) == (0, 1), "it waits for its next restart"
    assert seen(*ended, (4, [starting(incarnation=4)]), (5, [ready(incarnation=4)])) == (0, 0)


def test_a_stream_that_breaks_while_a_process_loads_is_no_restart() -> None:
    broken = [(float(second), [starting()] if second % 2 else []) for second in range(50)]
    assert seen(*broken, (50, [starting()])) == (1, 0)


def test_a_process_that_does_not_say_which_it_is_is_judged_by_its_time_alone() -> None:
    unnamed = [(float(second), [starting(incarnation=0)]) for second in range(100)]
    assert seen(*unnamed) == (1, 0)


def test_one_that_is_gone_for_longer_than_any_restart_takes_is_forgotten() -> None:
    failing = [(float(number), [starting(incarnation=number)]) for number in range(1, 5)]
    assert seen(*failing, (604, [])) == (0, 1)
    assert seen(*failing, (604.1, [])) == (0, 0)
    assert seen(*failing, (604.1, [starting(incarnation=9)])) == (1, 0)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 50),
            st.dictionaries(
                st.integers(1, 4), st.tuples(st.integers(0, 6), st.sampled_from(State)), max_size=4
            ),
        ),
        max_size=40,
    )
)
def test_each_replica_that_starts_is_counted_once_and_none_that_serves(
    steps: list[tuple[float, dict[int, tuple[int, State]]]],
) -> None:
    starts, now = Starts(BOUND_SECONDS), 0.0
    for pause, heard in steps:
        now += pause
        found = starts.hear([Heard(number, *rest) for number, rest in heard.items()], now)
        here = [number for number, (_, state) in heard.items() if state is State.STARTING]
        served = [number for number, (_, state) in heard.items() if state is not State.STARTING]
        assert found.starting <= len(here) <= found.starting + found.failing
        assert found.starting + found.failing <= 4 - len(served)
