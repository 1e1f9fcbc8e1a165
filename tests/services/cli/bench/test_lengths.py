"""Lengths of prompts and answers: what can be asked, what is drawn, and what is refused."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.errors import BenchError
from services.cli.bench.lengths import MOST_TOKENS, Lengths, parse_lengths


def drawn(text: str, count: int = 5000) -> list[int]:
    lengths, rng = parse_lengths(text, "--input-tokens"), random.Random(3)
    return [lengths.draw(rng) for _ in range(count)]


def test_a_number_alone_is_fixed() -> None:
    assert set(drawn("128")) == set(drawn("fixed:128")) == {128}


def test_uniform_reaches_both_ends() -> None:
    found = drawn("uniform:3,6")
    assert set(found) == {3, 4, 5, 6}
    assert statistics.fmean(found) == pytest.approx(4.5, rel=0.03)


def test_normal_has_its_mean_and_deviation() -> None:
    found = drawn("normal:200,20")
    assert statistics.fmean(found) == pytest.approx(200, rel=0.02)
    assert statistics.pstdev(found) == pytest.approx(20, rel=0.05)


def test_lognormal_has_its_median() -> None:
    found = drawn("lognormal:200,0.8")
    assert statistics.median(found) == pytest.approx(200, rel=0.05)
    assert max(found) > 1000


def test_bounds_hold() -> None:
    found = drawn("lognormal:200,0.8,100,300")
    assert (min(found), max(found)) == (100, 300)


REFUSED = (
    "|0|-1|1.5|nan|1000001|fixed:1,2|uniform:5|uniform:6,3|uniform:0,3|normal:1|normal:1,0|normal:1,2,3|"
    "lognormal:1,2,9,3|poisson:3"
)


@pytest.mark.parametrize("text", REFUSED.split("|"))
def test_what_is_no_distribution_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(BenchError, match="--input-tokens"):
        parse_lengths(text, "--input-tokens")


@given(
    st.sampled_from(["fixed", "uniform", "normal", "lognormal"]),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.integers(),
)
def test_every_length_is_a_whole_number_that_somebody_may_ask(
    kind: str, first: int, second: int, seed: int
) -> None:
    low, high = sorted((first, second))
    length = Lengths(kind, low, high).draw(random.Random(seed))
    assert 1 <= length <= MOST_TOKENS
    assert isinstance(length, int)
