"""Cost per million tokens: the formula, what follows from it, and what would be if."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.reports.cost import Paid, WhatIf, cost_per_million, explained

MONEY = st.floats(1e-6, 1e6)
SECONDS = st.floats(1, 1e7)
TOKENS = st.integers(1, 10**12)


@st.composite
def paid(draw: st.DrawFn) -> Paid:
    seconds, cost = draw(SECONDS), draw(MONEY)
    busy, idle = draw(st.floats(0.01, 1)), draw(st.floats(0, 1))
    return Paid(cost, cost * idle, draw(TOKENS), seconds, seconds * busy, seconds * draw(st.integers(1, 8)))


def test_a_cluster_of_ten_an_hour_that_brings_a_thousand_tokens_a_second() -> None:
    assert cost_per_million(10, 1000) == pytest.approx(10 / 3.6)


@given(paid())
def test_the_rate_by_the_hour_is_the_whole_cost_over_the_millions(one: Paid) -> None:
    assert one.per_million == pytest.approx(one.cost / (one.tokens / 1e6))


@given(paid(), st.floats(0.1, 10))
def test_twice_the_price_is_twice_the_cost_and_twice_the_tokens_half_of_it(one: Paid, factor: float) -> None:
    dearer = Paid(
        one.cost * factor, one.idle_cost, one.tokens, one.replica_seconds, one.busy_seconds, one.gpu_seconds
    )
    assert dearer.per_million == pytest.approx((one.per_million or 0) * factor)
    price = one.cost * 3600 / one.gpu_seconds
    assert WhatIf(price_per_hour=price * factor).per_million(one) == pytest.approx(dearer.per_million)
    assert WhatIf(speed=factor).per_million(one) == pytest.approx((one.per_million or 0) / factor)


@given(paid())
def test_what_if_nothing_changed_is_what_was(one: Paid) -> None:
    assert WhatIf().per_million(one) == pytest.approx(one.per_million)
    assert WhatIf(utilisation=one.utilisation).per_million(one) == pytest.approx(one.per_million)


@given(paid())
def test_a_replica_that_is_always_busy_costs_no_more_than_one_that_is_not(one: Paid) -> None:
    always = WhatIf(utilisation=1.0).per_million(one)
    assert always is not None
    assert always <= (one.per_million or 0) * (1 + 1e-9)


def test_without_tokens_or_time_there_is_no_rate() -> None:
    idle = Paid(1.0, 1.0, 0, 3600, 0, 3600)
    assert idle.per_million is None
    assert WhatIf(utilisation=0.5).per_million(idle) is None
    assert explained(idle, "EUR") == ["no tokens, so no cost of a million of them"]
    assert Paid(0.0, 0.0, 0, 0, 0, 0).cost_per_hour is None


def test_a_row_without_a_cost_is_no_cost_of_zero() -> None:
    assert Paid.of({"cost": None}) is None


def test_the_arithmetic_can_be_followed() -> None:
    assert explained(Paid(0.15, 0.12, 500, 300, 60, 300), "EUR") == [
        "cost of an hour    0.1500 EUR / 0.0833 replica hours = 1.8000 EUR/h",
        "tokens per second  500 / 300 replica seconds = 1.6667",
        "per million        1.8000 / (1.6667 x 3600 / 1000000) = 300.0000 EUR",
    ]
