"""A peak window is that of the wall clock of its time zone, on days when clocks change too."""

from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.router.domain.peak_windows import Day, PeakWindow, peak_left_seconds

HOUR = 3600.0
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]


def window(begins_at: str, ends_at: str, *, days: Any = tuple(Day), zone: str = "Europe/Paris") -> PeakWindow:
    return PeakWindow.model_validate(
        {"begins_at": begins_at, "ends_at": ends_at, "days": days, "time_zone": zone}
    )


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


OFFICE = window("08:00", "18:00", days=WEEKDAYS)


@pytest.mark.parametrize(
    ("moment", "left_hours"),
    [
        # A Thursday in winter, where Paris is an hour ahead.
        ("2026-11-26T06:59:59", 0),
        ("2026-11-26T07:00:00", 10),
        ("2026-11-26T16:00:00", 1),
        ("2026-11-26T17:00:00", 0),
        # One in summer, where it is two.
        ("2026-07-02T06:00:00", 10),
        # A Saturday.
        ("2026-11-28T10:00:00", 0),
    ],
)
def test_office_hours_are_those_of_the_place(moment: str, left_hours: float) -> None:
    assert peak_left_seconds([OFFICE], utc(moment)) == left_hours * HOUR


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = window("22:00", "06:00", days=["fri"])
    assert peak_left_seconds([friday_night], utc("2026-11-27T21:00:00")) == 8 * HOUR
    assert peak_left_seconds([friday_night], utc("2026-11-28T04:00:00")) == HOUR
    assert peak_left_seconds([friday_night], utc("2026-11-28T05:00:00")) == 0
    assert peak_left_seconds([friday_night], utc("2026-11-28T22:00:00")) == 0
    assert peak_left_seconds([friday_night], utc("2026-11-27T04:00:00")) == 0


def test_a_night_in_which_clocks_go_forward_is_an_hour_shorter() -> None:
    night = window("01:00", "04:00")
    # 01:00 in winter is midnight UTC, 04:00 in summer is 02:00 UTC.
    assert peak_left_seconds([night], utc("2026-03-29T00:00:00")) == 2 * HOUR
    assert peak_left_seconds([night], utc("2026-03-29T01:59:59")) == 1
    assert peak_left_seconds([night], utc("2026-03-29T02:00:00")) == 0
    assert peak_left_seconds([night], utc("2026-03-28T00:00:00")) == 3 * HOUR


def test_a_night_in_which_clocks_go_back_is_an_hour_longer() -> None:
    night = window("01:00", "04:00")
    # 01:00 in summer is 23:00 UTC of the day before, 04:00 in winter is 03:00 UTC.
    assert peak_left_seconds([night], utc("2026-10-24T23:00:00")) == 4 * HOUR
    assert peak_left_seconds([night], utc("2026-10-25T02:59:59")) == 1
    assert peak_left_seconds([night], utc("2026-10-25T03:00:00")) == 0
    assert peak_left_seconds([night], utc("2026-10-25T23:00:00")) == 0


def test_a_time_that_does_not_come_is_as_much_later_and_one_that_comes_twice_the_first() -> None:
    # Half past two is half past three on the day on which clocks go forward at two.
    begins, _ = window("02:30", "05:00").moments(datetime(2026, 3, 29, tzinfo=UTC).date())
    assert begins == utc("2026-03-29T01:30:00")
    # And it comes at 00:30 and at 01:30 UTC on the day on which they go back at three.
    begins, ends = window("02:30", "02:45").moments(datetime(2026, 10, 25, tzinfo=UTC).date())
    assert (begins, ends) == (utc("2026-10-25T00:30:00"), utc("2026-10-25T00:45:00"))
    # A window that would end before it begins is none.
    assert peak_left_seconds([window("02:30", "03:15")], utc("2026-03-29T01:20:00")) == 0


def test_windows_that_follow_one_another_are_one_peak() -> None:
    parts = [window("08:00", "12:00"), window("12:00", "14:00"), window("13:00", "18:00")]
    assert peak_left_seconds(parts, utc("2026-11-26T08:00:00")) == 9 * HOUR
    always = [window("00:00", "12:00"), window("12:00", "00:00")]
    assert peak_left_seconds(always, utc("2026-11-26T08:00:00")) == 8 * 24 * HOUR


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - the time zone is drawn
    st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
    st.times(),
    st.times(),
    st.sets(st.sampled_from(Day), min_size=1),
)
def test_whatever_is_in_a_window_is_so_until_it_ends_and_not_at_its_end(
    moment: datetime, zone: str, begins_at: time, ends_at: time, days: set[Day]
) -> None:
    if begins_at == ends_at:
        return
    one = PeakWindow(begins_at=begins_at, ends_at=ends_at, days=tuple(days), time_zone=ZoneInfo(zone))
    now = moment.replace(tzinfo=UTC).timestamp()
    end = one.end_after(now)
    if end is not None:
        assert now < end <= now + 25 * HOUR
        halfway = one.end_after((now + end) / 2)
        assert halfway is not None
        assert halfway == pytest.approx(end)
        assert peak_left_seconds([one], now) >= end - now


@pytest.mark.parametrize(
    "wrong",
    [
        {"ends_at": "08:00"},
        {"begins_at": "08:00+01:00"},
        # What YAML makes of 18:00 without quotes.
        {"ends_at": 1080},
        {"time_zone": "Europe/Atlantis"},
        {"time_zone": "../../etc/passwd"},
        {"days": []},
        {"days": ["today"]},
    ],
)
def test_a_window_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    right = {"begins_at": "08:00", "ends_at": "18:00", "time_zone": "Europe/Paris"}
    PeakWindow.model_validate(right)
    with pytest.raises(ValidationError):
        PeakWindow.model_validate({**right, **wrong})
