"""Objectives, and who meets them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.errors import BenchError
from services.cli.bench.objectives import Objective, is_met, parse_objective
from tests.services.cli.bench.exchanges import exchange


def test_an_objective_is_a_latency_and_its_longest() -> None:
    assert parse_objective("ttft:500ms") == Objective("ttft", 0.5)


@pytest.mark.parametrize("text", ["ttft", "itl:5ms", "ttft:500", "tpot:0ms"])
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(BenchError):
        parse_objective(text)


@given(st.floats(0.001, 5), st.floats(0.001, 5), st.floats(0.001, 5))
def test_a_request_meets_all_or_does_not_count(ttft: float, tpot: float, most: float) -> None:
    one = exchange(0.0, (ttft, ttft + tpot), ttft + tpot)
    assert one.tpot_seconds is not None
    objectives = [Objective("ttft", most), Objective("tpot", most), Objective("e2e", 2 * most)]
    assert is_met(one, objectives) is (
        ttft <= most and one.tpot_seconds <= most and one.e2e_seconds <= 2 * most
    )


def test_a_request_that_failed_meets_nothing() -> None:
    assert not is_met(exchange(failure="500"), [])
    assert not is_met(exchange(0.0, (0.1,), failure="broken_off"), [Objective("ttft", 1)])


def test_one_token_has_no_pace_to_miss_and_a_whole_answer_no_first_token_to_show() -> None:
    assert is_met(exchange(0.0, (0.1,)), [Objective("tpot", 0.001)])
    assert not is_met(exchange(0.0, (), 0.1, counts=(1, 5)), [Objective("ttft", 1)])
