"""An outage of the log: what is said of it, once where it begins and once where it has ended; pure."""

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ended:
    """How many attempts failed in an outage, and how long it was."""

    attempts: int
    duration_seconds: float


@dataclass(slots=True)
class Outage:
    """Lasts from the first attempt that fails until all that failed have succeeded; attempts have names."""

    _failing: set[Hashable] = field(default_factory=set)
    _causes: set[str] = field(default_factory=set)
    _attempts: int = 0
    _since_seconds: float = 0.0

    def fail(self, name: Hashable, cause: str, now_seconds: float) -> bool:
        """Takes in a failure; True if it is news: the first of an outage, or its first of that cause."""
        if not self._failing:
            self._causes.clear()
            self._attempts, self._since_seconds = 0, now_seconds
        self._failing.add(name)
        self._attempts += 1
        is_news = cause not in self._causes
        self._causes.add(cause)
        return is_news

    def succeed(self, name: Hashable, now_seconds: float) -> Ended | None:
        """Takes in a success; returns what the outage was if that ended one."""
        if name not in self._failing:
            return None
        self._failing.remove(name)
        if self._failing:
            return None
        return Ended(self._attempts, now_seconds - self._since_seconds)
