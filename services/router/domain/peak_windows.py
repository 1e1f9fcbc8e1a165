"""The hours in which others need the replicas most, by the wall clock of where those others are."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Final, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_DAY: Final = timedelta(days=1)
# Windows that follow one another are told as one, which may go on for ever.
_MOST_AHEAD_SECONDS: Final = 8 * 86_400.0


class Day(Enum):
    """A day of the week."""

    MONDAY = "mon"
    TUESDAY = "tue"
    WEDNESDAY = "wed"
    THURSDAY = "thu"
    FRIDAY = "fri"
    SATURDAY = "sat"
    SUNDAY = "sun"


_DAYS: Final = tuple(Day)


class PeakWindow(BaseModel):
    """From a time of day to another; over midnight where it ends at an earlier time than it begins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: tuple[Day, ...] = Field(
        default=_DAYS, min_length=1, max_length=7, description="the days on which it begins"
    )
    begins_at: time = Field(description='such as "08:00"')
    ends_at: time = Field(description="on the next day where that is before `begins_at`")
    time_zone: ZoneInfo = Field(
        description="IANA name of the time zone of both, such as Europe/Paris. Where clocks go back, a time "
        "that comes twice is the first one; where they go forward, one that does not come is as much later"
    )

    @field_validator("begins_at", "ends_at", mode="before")
    @classmethod
    def _is_text(cls, said: object) -> object:
        # YAML reads 18:00 without quotes as a number, 1080, which would be taken for 00:18.
        if not isinstance(said, str | time):
            raise ValueError('must be a time of day in quotes, such as "18:00"')  # noqa: TRY004 - pydantic's
        return said

    @model_validator(mode="after")
    def _times_are_of_a_place(self) -> Self:
        if self.begins_at.tzinfo is not None or self.ends_at.tzinfo is not None:
            raise ValueError("begins_at and ends_at must say no offset: time_zone does")
        if self.begins_at == self.ends_at:
            raise ValueError("begins_at and ends_at must differ")
        return self

    def moments(self, day: date) -> tuple[float, float]:
        """Returns when the window of a day begins and ends, in seconds since 1970.

        A window may be over before it begins: one within the hour that does not come.
        """
        last_day = day if self.begins_at < self.ends_at else day + _DAY
        begins = datetime.combine(day, self.begins_at, self.time_zone).timestamp()
        return begins, datetime.combine(last_day, self.ends_at, self.time_zone).timestamp()

    def end_after(self, wall_seconds: float) -> float | None:
        """Returns when the window ends that a moment is in; None where it is in none."""
        today = datetime.fromtimestamp(wall_seconds, self.time_zone).date()
        for day in (today - _DAY, today):
            begins_seconds, ends_seconds = self.moments(day)
            if _DAYS[day.weekday()] in self.days and begins_seconds <= wall_seconds < ends_seconds:
                return ends_seconds
        return None


def peak_left_seconds(windows: Sequence[PeakWindow], wall_seconds: float) -> float:
    """Returns how much longer a peak lasts, whichever windows it goes through; 0 where there is none.

    One that lasts for more than eight days is told as that.
    """
    ends_seconds = wall_seconds
    while ends_seconds - wall_seconds < _MOST_AHEAD_SECONDS:
        ends = [end for end in (window.end_after(ends_seconds) for window in windows) if end is not None]
        if not ends:
            return ends_seconds - wall_seconds
        ends_seconds = max(ends)
    return _MOST_AHEAD_SECONDS
