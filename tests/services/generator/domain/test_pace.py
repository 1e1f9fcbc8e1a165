"""How fast an engine is, of the time in which it had something to do."""

from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.pace import InputWork, OutputWork, Pace


def test_nothing_is_known_of_an_engine_that_did_nothing() -> None:
    work = InputWork()
    assert work.tokens_per_second(5) is None
    assert Pace().tokens_per_second is None
    assert OutputWork().read(0, is_busy=False, now_seconds=5) is None


def test_a_prompt_waits_until_its_first_token_or_its_end() -> None:
    work = InputWork()
    work.wait("a", 100, 1.0)
    work.wait("b", 50, 1.5)
    work.wait("b", 60, 1.5)
    assert work.waiting_tokens == 160
    work.begun("a", 100, 2.0)
    assert work.waiting_tokens == 60
    work.ended("b", 3.0)
    work.ended("b", 3.0)
    work.ended("a", 3.0)
    assert work.waiting_tokens == 0


def test_pace_is_of_the_time_in_which_a_prompt_waited_and_cached_tokens_are_none_of_it() -> None:
    work = InputWork()
    work.wait("a", 1_000, 10.0)
    work.begun("a", 600, 11.0)
    assert work.tokens_per_second(11.0) == 600
    work.wait("b", 600, 50.0)
    work.begun("b", 600, 51.0)
    assert work.tokens_per_second(51.0) == 600


def test_of_prompts_that_wait_the_share_is_expected_to_be_computed_that_was_computed_lately() -> None:
    work = InputWork()
    for second in range(100):
        work.wait(second, 1_000, second)
        work.begun(second, 1_000 if second < 20 else 100, second + 0.5)
    work.wait("next", 2_000, 100.0)
    assert 200 <= work.waiting_tokens < 250
    assert work.whole_tokens == 2_000


def test_what_waits_is_never_more_than_its_prompts_have() -> None:
    work = InputWork()
    work.wait("a", 1_000, 0.0)
    work.begun("a", 0, 1.0)
    work.wait("b", 500, 1.0)
    assert work.waiting_tokens == 0
    work.begun("b", 500, 2.0)
    work.wait("c", 500, 2.0)
    assert 0 < work.waiting_tokens <= 500


def test_a_replica_that_was_slow_once_is_not_slow_for_ever() -> None:
    work = InputWork()
    work.wait("a", 100, 10.0)
    work.begun("a", 100, 20.0)
    assert work.tokens_per_second(79.0) == 10
    assert work.tokens_per_second(81.0) is None
    work.wait("b", 1_000, 90.0)
    work.begun("b", 1_000, 91.0)
    assert work.tokens_per_second(91.0) == 1_000


def test_what_was_done_lately_counts_most() -> None:
    work = InputWork()
    for second in range(60):
        work.wait(second, 100, second)
        work.begun(second, 100 if second < 30 else 1_000, second + 1.0)
    assert 800 < (work.tokens_per_second(60.0) or 0) <= 1_000


def test_output_is_read_from_totals_while_requests_are_open() -> None:
    work = OutputWork()
    work.read(100, is_busy=True, now_seconds=1.0)
    assert work.read(300, is_busy=False, now_seconds=2.0) == 200
    assert work.read(300, is_busy=True, now_seconds=100.0) == 200
    assert work.read(0, is_busy=True, now_seconds=101.0) in range(90, 110)


@given(st.lists(st.tuples(st.integers(1, 10**9), st.floats(0.05, 10**4)), min_size=1, max_size=20))
def test_a_pace_lies_between_the_slowest_and_the_fastest(done: list[tuple[int, float]]) -> None:
    pace = Pace()
    for tokens, seconds in done:
        pace.add(tokens, seconds)
    found = pace.tokens_per_second
    assert found is None or 1 <= found <= 2**32 - 1
