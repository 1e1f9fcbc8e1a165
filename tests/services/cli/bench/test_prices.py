"""What tokens cost, by the hour and by a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.errors import BenchError
from services.cli.bench.prices import Prices, Work, cost_of, parse_prices

AMOUNTS = st.floats(0.01, 1000)


def test_an_hour_at_a_million_tokens_costs_the_hour() -> None:
    cost = cost_of(Work(3_000_000, 1_000_000, 3600), parse_prices([], 2.5, 4, "EUR"))
    assert (cost.by_hour, cost.by_hour_per_million_output) == (10.0, 10.0)
    assert cost.by_hour_per_million == pytest.approx(2.5)
    assert cost.by_list is None


def test_a_list_prices_each_kind_of_token() -> None:
    cost = cost_of(Work(1_000_000, 500_000, 1), parse_prices(["input:0.4", "output:1.6"], None, 1, "EUR"))
    assert cost.by_list == pytest.approx(1.2)
    assert cost.by_list_per_million == pytest.approx(0.8)
    assert cost.by_hour is None


@given(AMOUNTS, AMOUNTS, st.integers(1, 10**9), st.integers(1, 10**9), AMOUNTS)
def test_a_million_costs_what_the_rate_says(
    hour: float, seconds: float, read: int, written: int, listed: float
) -> None:
    cost = cost_of(Work(read, written, seconds), Prices("EUR", hour, listed, listed))
    tps = written / seconds
    assert cost.by_hour_per_million_output == pytest.approx(hour / (tps * 3600) * 1e6)
    assert cost.by_list_per_million == pytest.approx(listed)


def test_nothing_that_came_out_has_no_price() -> None:
    cost = cost_of(Work(0, 0, 60), Prices("EUR", 2.0))
    assert cost.by_hour is not None
    assert cost.by_hour_per_million_output is None


@pytest.mark.parametrize("listed", [["input"], ["cached:1"], ["input:-1"], ["input:1", "input:2"]])
def test_what_is_no_price_is_refused(listed: list[str]) -> None:
    with pytest.raises(BenchError, match="--price"):
        parse_prices(listed, None, 1, "EUR")
