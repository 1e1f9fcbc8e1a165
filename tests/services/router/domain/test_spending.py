"""Days and months of the calendar, and what is known to be spent in them."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.quota import Spending
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.spending import (
    Spent,
    day_of,
    end_of_day_seconds,
    end_of_month_seconds,
    kept_since,
    month_of,
)

MOMENTS = st.integers(0, 13 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(at=MOMENTS)
def test_a_day_says_year_month_and_day_and_ends_with_the_next(at: datetime) -> None:
    day = day_of(int(at.timestamp() * 1000))
    assert str(day) == at.strftime("%Y%m%d")
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert end_of_day_seconds(day) == midnight.timestamp()
    assert day_of(end_of_day_seconds(day) * 1000 - 1) == day


@given(at=MOMENTS)
def test_a_month_ends_with_its_last_day(at: datetime) -> None:
    month = month_of(day_of(int(at.timestamp() * 1000)))
    end_milliseconds = end_of_month_seconds(month) * 1000
    assert month_of(day_of(end_milliseconds - 1)) == month
    assert day_of(end_milliseconds) % 100 == 1


def test_another_day_begins_with_what_is_known_of_its_month() -> None:
    spent = Spent(20260930, Amount(5), Amount(9), is_day_known=True, is_month_known=True)
    assert spent.turned(20260929) == Spent(20260929, NOTHING, Amount(9), is_month_known=True)
    assert spent.turned(20261001) == Spent(20261001)


def test_a_part_of_a_month_stays_with_its_day() -> None:
    part = Spent(20260930, Amount(5), Amount(5), is_day_known=True)
    assert part.turned(20260929) == Spent(20260929)


def test_what_was_used_before_is_added_once() -> None:
    spent = Spent(20260930)
    spent.add(Amount(1, 2))
    for _ in range(2):
        spent.learn(Amount(10, 10), Amount(100, 100))
    assert spent.totals() == {20260930: Amount(11, 12), 202609: Amount(101, 102)}


def test_a_part_is_no_total() -> None:
    spent = Spent(20260930, Amount(5), Amount(9), is_month_known=True)
    assert spent.totals() == {202609: Amount(9)}


def test_operators_are_told_what_is_held_as_if_it_were_used() -> None:
    spent = Spent(20260930, Amount(5, 50), Amount(9, 90))
    midnight = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
    assert spent.told(Amount(1, 1)) == Spending(6, 10, 91, midnight, midnight)


def test_days_are_kept_of_this_month_and_of_the_one_before() -> None:
    assert [kept_since(day) for day in (20260101, 20260131, 20260201, 20261231)] == [
        20251201,
        20251201,
        20260101,
        20261101,
    ]
