import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.beside.window import Answer, seen_between

TIME = st.floats(min_value=0, max_value=100)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    sent, first, ended = sorted([draw(TIME), draw(TIME), draw(TIME)])
    return Answer(sent, draw(st.sampled_from([first, None])), ended, draw(st.integers(0, 1000)))


@given(st.lists(answers(), max_size=20), st.lists(TIME, min_size=1, max_size=4))
def test_windows_side_by_side_count_every_token_and_every_answer_once(
    all_answers: list[Answer], edges: list[float]
) -> None:
    bounds = [0.0, *sorted(edges), 101.0]
    windows = [seen_between(one, two, all_answers) for one, two in itertools.pairwise(bounds)]
    assert sum(seen.output_tokens for seen in windows) == pytest.approx(sum(it.tokens for it in all_answers))
    assert sum(seen.requests for seen in windows) == len(all_answers)


def test_an_answer_over_the_edge_counts_by_the_share_of_its_text_inside() -> None:
    seen = seen_between(10, 20, [Answer(sent=7, first=8, ended=12, tokens=100)])
    assert seen.output_tokens == pytest.approx(50)
    assert (seen.requests, seen.ttft_seconds) == (1, [])


def test_the_wait_for_the_first_text_is_no_time_in_which_tokens_came() -> None:
    seen = seen_between(10, 20, [Answer(sent=10, first=19, ended=21, tokens=100)])
    assert seen.output_tokens == pytest.approx(50)
    assert seen.ttft_seconds == [9]


def test_failures_are_counted_by_their_reason_and_are_no_answers() -> None:
    failed = [Answer(11, None, 12, 0, "status 503"), Answer(11, None, 12, 0, "status 503")]
    before = Answer(1, None, 2, 0, "TimeoutError")
    seen = seen_between(10, 20, [*failed, before])
    assert seen.failures == {"status 503": 2}
    assert (seen.requests, seen.output_tokens, seen.answer_seconds) == (0, 0, [])
