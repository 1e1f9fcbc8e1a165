"""What follows from one request's times and counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.cli.bench.exchanges import exchange

GAPS = st.lists(st.floats(0, 10), min_size=1, max_size=50)


def test_latencies_count_from_when_it_was_due() -> None:
    one = exchange(10.0, (12.0, 12.5, 13.5), 13.6, sent=11.0)
    assert one.send_late_seconds == pytest.approx(1.0)
    assert one.ttft_seconds == pytest.approx(2.0)
    assert one.e2e_seconds == pytest.approx(3.6)
    assert list(one.itl_seconds()) == pytest.approx([0.5, 1.0])
    assert one.tpot_seconds == pytest.approx(0.75)
    assert one.tps == pytest.approx(1 / 0.75)


def test_tokens_that_come_together_share_the_time_of_their_event() -> None:
    assert exchange(0.0, (1.0, 2.0), counts=(1, 11)).tpot_seconds == pytest.approx(0.1)


@pytest.mark.parametrize("tokens", [(), (1.0,)])
def test_one_token_has_no_pace(tokens: tuple[float, ...]) -> None:
    one = exchange(0.0, tokens, 2.0)
    assert one.tpot_seconds is None
    assert one.tps is None
    assert list(one.itl_seconds()) == []


def test_tokens_that_all_came_at_once_have_no_pace() -> None:
    one = exchange(0.0, (1.0,), 2.0, counts=(5, 100))
    assert (one.tpot_seconds, one.tps) == (None, None)


def test_an_answer_that_was_not_streamed_has_a_length_alone() -> None:
    one = exchange(0.0, (), 2.0, counts=(5, 9))
    assert (one.ttft_seconds, one.tpot_seconds, one.e2e_seconds) == (None, None, 2.0)


@given(GAPS, st.floats(0, 100))
def test_gaps_make_up_the_time_between_first_and_last(gaps: list[float], first: float) -> None:
    moments = [first]
    for gap in gaps:
        moments.append(moments[-1] + gap)
    one = exchange(0.0, moments)
    assert sum(one.itl_seconds()) == pytest.approx(one.decode_seconds, abs=1e-9)
    assert one.tpot_seconds == pytest.approx(one.decode_seconds / len(gaps))
