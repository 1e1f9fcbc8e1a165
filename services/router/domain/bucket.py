"""A token bucket: how much may be taken now, of an amount that comes back evenly over a minute."""

import math
from dataclasses import dataclass
from typing import Final

_MINUTE_SECONDS: Final = 60.0
# Many small refills add up to a whole unit only within rounding; what is lent beyond becomes a debt.
_ROUNDING: Final = 1e-6


@dataclass(slots=True)
class Bucket:
    """Holds at most `per_minute` and fills that much in a minute; 0 means no limit."""

    per_minute: int
    level: float
    updated_seconds: float

    @classmethod
    def full(cls, per_minute: int, now_seconds: float) -> "Bucket":
        """Returns a bucket that nobody took from."""
        return cls(per_minute, float(per_minute), now_seconds)

    @property
    def is_full(self) -> bool:
        """Tells whether forgetting the bucket would change nothing."""
        return self.level + _ROUNDING >= self.per_minute

    @property
    def remaining(self) -> int:
        """Returns the whole units that may be taken now."""
        return max(0, math.floor(self.level + _ROUNDING))

    def refill(self, per_minute: int, now_seconds: float) -> None:
        """Refills for the time that passed; a changed limit holds from now on."""
        elapsed_seconds = max(0.0, now_seconds - self.updated_seconds)
        self.level = min(float(per_minute), self.level + elapsed_seconds * per_minute / _MINUTE_SECONDS)
        self.per_minute = per_minute
        self.updated_seconds = max(self.updated_seconds, now_seconds)

    def has(self, amount: int) -> bool:
        """Tells whether the amount may be taken now."""
        return self.per_minute == 0 or amount <= self.level + _ROUNDING

    def take(self, amount: int) -> None:
        """Takes the amount; the level may become a debt if `has` was not asked."""
        if self.per_minute:
            self.level -= amount

    def give(self, amount: int) -> None:
        """Gives back what was taken and not used; a negative amount takes what was used beyond that."""
        if self.per_minute:
            self.level = min(float(self.per_minute), self.level + amount)

    def seconds_until(self, amount: int) -> float:
        """Returns the wait until the amount may be taken; a minute if it never may."""
        if self.has(amount):
            return 0.0
        if amount > self.per_minute:
            return _MINUTE_SECONDS
        return (amount - self.level) * _MINUTE_SECONDS / self.per_minute

    def seconds_until_full(self) -> float:
        """Returns the wait until the bucket is full again."""
        return self.seconds_until(self.per_minute)
