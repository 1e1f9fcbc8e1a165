"""Limits are written and read as numbers with units, and money to the hundredth."""

from decimal import Decimal

import pytest
from comptoir.router.v1 import admin_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.cli.limits import cents_of, limits_of, money, quota_of, spending_of


@given(st.integers(0, 899_999_999))
def test_an_amount_is_the_same_in_hundredths_and_written(cents: int) -> None:
    quota = quota_of({"money_per_month": Decimal(cents) / 100})
    assert quota == admin_pb2.Quota(money_per_month_cents=cents)
    written = limits_of(quota, "EUR")
    assert written == ([f"{cents // 100}.{cents % 100:02} EUR/month"] if cents else [])


@pytest.mark.parametrize("amount", ["0.001", "-0.01", "9000000", "NaN", "Infinity"])
def test_an_amount_that_no_budget_has_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="hundredths"):
        cents_of(Decimal(amount))


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("tokens_per_day", 2**48),
        ("tokens_per_minute", 2**32),
        ("concurrency", Decimal("1.5")),
        ("concurrency", Decimal("NaN")),
        ("concurrency", Decimal("Infinity")),
        ("concurrency", -1),
        ("nothing", 1),
    ],
)
def test_a_limit_beyond_its_bound_or_without_a_name_is_refused(name: str, limit: int | Decimal) -> None:
    with pytest.raises(ValueError, match="whole number"):
        quota_of({name: limit})


def test_a_change_keeps_what_it_does_not_name() -> None:
    stored = admin_pb2.Quota(concurrency=3, tokens_per_month=7)
    changed = quota_of({"tokens_per_day": 2**48 - 1, "tokens_per_month": 0, "concurrency": None}, stored)
    assert changed == admin_pb2.Quota(concurrency=3, tokens_per_day=2**48 - 1)


@pytest.mark.parametrize(
    ("nanos", "written"),
    [
        (0, "0.00"),
        (10**9, "1.00"),
        (10**7, "0.01"),
        (1_500_000, "0.0015"),
        (1, "0.00"),
        (249_999_999_999, "250.00"),
        (9 * 10**15, "9000000.00"),
    ],
)
def test_money_is_written_to_the_hundredth_and_further_where_it_says_something(
    nanos: int, written: str
) -> None:
    assert money(nanos) == written


def test_what_was_used_is_told_of_limits_alone() -> None:
    spending = admin_pb2.Spending(
        tokens_of_day=10,
        tokens_of_month=20,
        money_of_month_nanos=1_250_000_000,
        day_ends_seconds=1_795_737_600,
        month_ends_seconds=1_796_083_200,
        currency="EUR",
    )
    quota = admin_pb2.Quota(tokens_per_day=100, tokens_per_month=1000, money_per_month_cents=25_000)
    assert spending_of(quota, spending) == [
        "10 of 100 tokens of the day to 2026-11-27 00:00 UTC",
        "20 of 1000 tokens of the month to 2026-12-01 00:00 UTC",
        "1.25 of 250.00 EUR of the month to 2026-12-01 00:00 UTC",
    ]
    assert spending_of(admin_pb2.Quota(concurrency=1), spending) == []
