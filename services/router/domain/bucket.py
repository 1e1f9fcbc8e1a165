"""A token bucket: how much may be taken now, of an amount that comes back evenly over a minute.

Every number is whole, so that two stores that keep the same bucket agree to the last unit.
"""

import math
from dataclasses import dataclass
from typing import Final

_MINUTE_SECONDS: Final = 60.0
# In a millisecond comes back as many parts as the limit has units: there are so many parts in one.
PARTS: Final = 60_000
# A whole number of milliseconds that went through seconds as a float may come back a little below itself.
_ROUNDING_MILLISECONDS: Final = 1e-6


def whole_milliseconds(seconds: float) -> int:
    """Returns a moment as buckets count it: the last whole millisecond."""
    return math.floor(seconds * 1000 + _ROUNDING_MILLISECONDS)


@dataclass(slots=True)
class Bucket:
    """Holds at most `per_minute` and fills that much in a minute; 0 means no limit.

    The level is in parts, of which a unit has `PARTS`.
    """

    per_minute: int
    level: int
    updated_milliseconds: int

    @classmethod
    def full(cls, per_minute: int, now_milliseconds: int) -> "Bucket":
        """Returns a bucket that nobody took from."""
        return cls(per_minute, per_minute * PARTS, now_milliseconds)

    @property
    def is_full(self) -> bool:
        """Tells whether forgetting the bucket would change nothing."""
        return self.level >= self.per_minute * PARTS

    @property
    def remaining(self) -> int:
        """Returns the whole units that may be taken now."""
        return max(0, self.level // PARTS)

    def refill(self, per_minute: int, now_milliseconds: int) -> None:
        """Refills for the time that passed; a changed limit holds from now on."""
        # Without calls of `min` and `max`: four buckets are refilled several times a request.
        if now_milliseconds > self.updated_milliseconds:
            self.level += (now_milliseconds - self.updated_milliseconds) * per_minute
            self.updated_milliseconds = now_milliseconds
        self.per_minute = per_minute
        self.level = min(self.level, per_minute * PARTS)

    def has(self, amount: int) -> bool:
        """Tells whether the amount may be taken now."""
        return self.per_minute == 0 or amount * PARTS <= self.level

    def take(self, amount: int) -> None:
        """Takes the amount; the level may become a debt if `has` was not asked."""
        if self.per_minute:
            self.level -= amount * PARTS

    def give(self, amount: int) -> None:
        """Gives back what was taken and not used; a negative amount takes what was used beyond that."""
        if self.per_minute:
            self.level = min(self.per_minute * PARTS, self.level + amount * PARTS)

    def seconds_until(self, amount: int) -> float:
        """Returns the wait until the amount may be taken; a minute if it never may."""
        if self.has(amount):
            return 0.0
        if amount > self.per_minute:
            return _MINUTE_SECONDS
        return (amount * PARTS - self.level) / self.per_minute / 1000

    def seconds_until_full(self) -> float:
        """Returns the wait until the bucket is full again."""
        return self.seconds_until(self.per_minute)
