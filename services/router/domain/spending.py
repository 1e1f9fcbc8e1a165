"""What keys and tenants used in a day and a month of the calendar, in UTC.

A day is the number YYYYMMDD and a month YYYYMM, so that each day says its month, and no two periods are one
number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

from services.kernel.quota import Spending
from services.router.domain.amount import NOTHING, Amount

# Of the year 100; months have fewer digits.
FIRST_DAY: Final = 1_000_000
_DAYS_IN_MONTH: Final = 100
_MONTHS_IN_YEAR: Final = 100
_DAY_MILLISECONDS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1)


class SubjectKind(IntEnum):
    """Who has a quota; the numbers are stored."""

    KEY = 1
    TENANT = 2


class Subject(NamedTuple):
    """A key or a tenant, by its number."""

    kind: SubjectKind
    number: int


class Window(NamedTuple):
    """A day or a month of a subject."""

    subject: Subject
    period: int


@dataclass(slots=True)
class Spent:
    """What a subject used in one day, and in its month until the end of that day.

    A part that is not known holds what was used since, without what was used before.
    """

    day: int
    of_day: Amount = NOTHING
    of_month: Amount = NOTHING
    is_day_known: bool = False
    is_month_known: bool = False

    @property
    def is_known(self) -> bool:
        """Tells whether both hold all that was used."""
        return self.is_day_known and self.is_month_known

    def turned(self, day: int) -> "Spent":
        """Returns what a subject used in another day: of that nothing is known, of its month perhaps.

        A part of a month is in one of them alone, so that it can be added up.
        """
        if month_of(day) != month_of(self.day) or not self.is_month_known:
            return Spent(day)
        return Spent(day, NOTHING, self.of_month, is_month_known=True)

    def add(self, amount: Amount) -> None:
        """Notes what was used."""
        self.of_day = self.of_day.grown(amount)
        self.of_month = self.of_month.grown(amount)

    def learn(self, of_day: Amount, of_month: Amount) -> None:
        """Takes in what was used before; of a part that is known, nothing."""
        if not self.is_day_known:
            self.of_day, self.is_day_known = self.of_day.grown(of_day), True
        if not self.is_month_known:
            self.of_month, self.is_month_known = self.of_month.grown(of_month), True

    def follow(self, before: "Spent") -> None:
        """Takes in what was noted of the same day before the clock went to another day and came back."""
        if not self.is_day_known:
            self.of_day, self.is_day_known = self.of_day.grown(before.of_day), before.is_day_known
        if not self.is_month_known:
            of_month = self.of_month.grown(before.of_month)
            self.of_month, self.is_month_known = of_month, before.is_month_known

    def told(self, held: Amount) -> Spending:
        """Returns what was used, and what is held besides, as operators are told."""
        month = month_of(self.day)
        return Spending(
            day_tokens=self.of_day.tokens + held.tokens,
            month_tokens=self.of_month.tokens + held.tokens,
            month_money_nanos=self.of_month.nanos + held.nanos,
            day_ends_seconds=end_of_day_seconds(self.day),
            month_ends_seconds=end_of_month_seconds(month),
        )

    def totals(self) -> Mapping[int, Amount]:
        """Returns what was used, by its period, as far as all of it is known."""
        totals = {self.day: self.of_day} if self.is_day_known else {}
        return totals | {month_of(self.day): self.of_month} if self.is_month_known else totals


def month_of(day: int) -> int:
    """Returns the month of a day."""
    return day // _DAYS_IN_MONTH


def is_day(period: int) -> bool:
    """Tells a day from a month."""
    return period >= FIRST_DAY


def kept_since(day: int) -> int:
    """Returns the first day of which is kept what was used in it: that of the month before."""
    year, month_of_year = divmod(month_of(day), _MONTHS_IN_YEAR)
    before = (year, month_of_year - 1) if month_of_year > 1 else (year - 1, 12)
    return (before[0] * _MONTHS_IN_YEAR + before[1]) * _DAYS_IN_MONTH + 1


def day_of(wall_milliseconds: int) -> int:
    """Returns the day of a moment since 1970."""
    return _day(wall_milliseconds // _DAY_MILLISECONDS)


@lru_cache(maxsize=4)
def _day(days: int) -> int:
    day = _EPOCH + timedelta(days=days)
    return (day.year * _MONTHS_IN_YEAR + day.month) * _DAYS_IN_MONTH + day.day


def end_of_day_seconds(day: int) -> int:
    """Returns the Unix time when a day is over."""
    return int((_midnight(day) + timedelta(days=1)).timestamp())


def end_of_month_seconds(month: int) -> int:
    """Returns the Unix time when a month is over."""
    # No month has 32 days.
    following = _midnight(month * _DAYS_IN_MONTH + 1) + timedelta(days=31)
    return int(following.replace(day=1).timestamp())


def _midnight(day: int) -> datetime:
    month = month_of(day)
    year, month_of_year = divmod(month, _MONTHS_IN_YEAR)
    return datetime(year, month_of_year, day % _DAYS_IN_MONTH, tzinfo=UTC)
