"""The price list only grows: whoever starts again adds nothing, and an old day keeps its price."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.usage.domain.gpu_prices import BEGINNING, GpuPrice, PriceRow, check_declared, rows_to_add
from pipelines.usage.domain.rules import Rules

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
EARLIER = datetime(2026, 11, 1, tzinfo=UTC)


def price(amount: float, since: datetime | None = None, gpu_class: int = 7, name: str = "l40s") -> GpuPrice:
    return GpuPrice(gpu_class=gpu_class, name=name, price_per_hour=amount, since=since)


def row(
    nanos: int, since: datetime, gpu_class: int = 7, name: str = "l40s", currency: str = "EUR"
) -> PriceRow:
    return PriceRow(gpu_class, name, nanos, currency, since)


def in_force(rows: list[PriceRow], at: datetime) -> int | None:
    """As the views read it: of rows of one moment the later one, of moments the latest that has come."""
    by_moment = {row.since: row for row in rows}
    came = [moment for moment in by_moment if moment <= at]
    return by_moment[max(came)].nanos_per_hour if came else None


def test_the_first_price_of_a_class_has_held_all_along() -> None:
    assert rows_to_add([price(1.5)], [], NOW, "EUR") == (row(1_500_000_000, BEGINNING),)


def test_a_price_that_changed_holds_from_now_on() -> None:
    stored = [row(1_500_000_000, BEGINNING)]
    assert rows_to_add([price(1.2)], stored, NOW, "EUR") == (row(1_200_000_000, NOW),)


def test_a_price_that_is_as_before_is_no_news() -> None:
    stored = [row(1_500_000_000, BEGINNING), row(1_200_000_000, EARLIER)]
    assert rows_to_add([price(1.2)], stored, NOW, "EUR") == ()
    assert rows_to_add([], stored, NOW, "EUR") == ()


@pytest.mark.parametrize(("name", "currency"), [("l40s-48", "EUR"), ("l40s", "USD")])
def test_another_name_or_currency_is_news(name: str, currency: str) -> None:
    stored = [row(1_500_000_000, BEGINNING)]
    added = rows_to_add([price(1.5, name=name)], stored, NOW, currency)
    assert added == (row(1_500_000_000, NOW, name=name, currency=currency),)


def test_a_dated_price_holds_from_its_date_and_is_corrected_at_its_date() -> None:
    since = datetime(2026, 11, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    assert rows_to_add([price(1.2, since)], [], NOW, "EUR") == (row(1_200_000_000, EARLIER),)
    stored = [row(1_200_000_000, EARLIER)]
    assert rows_to_add([price(1.2, since)], stored, NOW, "EUR") == ()
    assert rows_to_add([price(1.3, since)], stored, NOW, "EUR") == (row(1_300_000_000, EARLIER),)


def test_classes_have_nothing_to_do_with_each_other() -> None:
    stored = [row(1_500_000_000, BEGINNING)]
    declared = [price(1.5), price(3.5, gpu_class=8, name="h100")]
    assert rows_to_add(declared, stored, NOW, "EUR") == (row(3_500_000_000, BEGINNING, 8, "h100"),)


@pytest.mark.parametrize("prices", [[price(1), price(2)], [price(1), price(2, EARLIER)], [price(1, NOW)] * 2])
def test_two_prices_of_a_class_need_two_moments(prices: list[GpuPrice]) -> None:
    with pytest.raises(ValueError, match="gpu_class 7 has"):
        check_declared(prices)
    with pytest.raises(ValidationError, match="gpu_class 7 has"):
        Rules(gpu_prices=tuple(prices))


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValidationError):
        GpuPrice.model_validate({"gpu_class": 7, "price_per_hour": 1, "since": "2026-11-01T00:00:00"})


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 90)), min_size=1, max_size=12))
def test_an_old_day_keeps_its_price_whatever_is_declared_later(changes: list[tuple[int, int]]) -> None:
    stored: list[PriceRow] = []
    now = EARLIER
    seen: dict[datetime, int | None] = {}
    for amount, days in changes:
        for _start in range(2):
            stored += rows_to_add([price(float(amount))], stored, now, "EUR")
        assert in_force(stored, now) == amount * 1_000_000_000
        assert all(in_force(stored, moment) == known for moment, known in seen.items())
        seen[now + timedelta(seconds=1)] = in_force(stored, now)
        now += timedelta(days=days)
    assert len({row.since for row in stored}) == len(stored)


@pytest.mark.parametrize("since", ["1969-12-31T23:59:59Z", "2106-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_moment_that_the_store_cannot_hold_is_refused_before_it_is_written(since: str) -> None:
    with pytest.raises(ValidationError, match="since is from 1970 on and before 2106"):
        GpuPrice.model_validate({"gpu_class": 7, "price_per_hour": 1, "since": since})


def test_two_prices_within_one_second_are_two_of_one_moment() -> None:
    moments = [EARLIER.replace(microsecond=number) for number in (1, 2)]
    with pytest.raises(ValueError, match="two prices since one moment"):
        check_declared([price(1.0 + nth, moment) for nth, moment in enumerate(moments)])
