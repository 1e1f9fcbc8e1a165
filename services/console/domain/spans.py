"""How far the page looks back, and in how many steps."""

from enum import Enum
from typing import Final


class Span(Enum):
    """A time to look back on: its name in addresses, its seconds, and those of one step."""

    HOUR = ("hour", 3_600, 60)
    DAY = ("day", 86_400, 900)
    WEEK = ("week", 604_800, 7_200)

    def __init__(self, key: str, seconds: int, step_seconds: int) -> None:
        self.key = key
        self.seconds = seconds
        self.step_seconds = step_seconds

    @property
    def title(self) -> str:
        """What people call it."""
        return _TITLES[self.key]

    def steps(self, now_seconds: float) -> tuple[int, ...]:
        """Returns where each step begins, in Unix time; the last one is the step of now."""
        last = int(now_seconds) // self.step_seconds * self.step_seconds
        return tuple(range(last - self.seconds + self.step_seconds, last + 1, self.step_seconds))

    @classmethod
    def of(cls, key: str) -> "Span":
        """Returns the span of a name; the shortest for any other word."""
        return next((span for span in cls if span.key == key), cls.HOUR)


_TITLES: Final = {"hour": "Last hour", "day": "Last 24 hours", "week": "Last 7 days"}
