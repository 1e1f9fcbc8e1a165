"""Time as an argument: what a clock is, the machine's own, and one that tests turn by hand."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two times: the wall clock, for records; the monotonic one, for durations of one process."""

    def wall_microseconds(self) -> int:
        """Returns microseconds since 1970-01-01 UTC."""
        ...

    def monotonic_seconds(self) -> float:
        """Returns seconds since some moment; only differences mean anything, and only in one process."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall_microseconds(self) -> int:
        """Returns microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000

    def monotonic_seconds(self) -> float:
        """Returns seconds of the monotonic clock."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when it is told to."""

    def __init__(
        self, wall_microseconds: int = 1_790_000_000_000_000, monotonic_seconds: float = 1000.0
    ) -> None:
        self._wall_microseconds = wall_microseconds
        self._monotonic_seconds = monotonic_seconds

    def wall_microseconds(self) -> int:
        """Returns microseconds since 1970-01-01 UTC, as set."""
        return self._wall_microseconds

    def monotonic_seconds(self) -> float:
        """Returns seconds, as set."""
        return self._monotonic_seconds

    def advance(self, seconds: float) -> None:
        """Moves both times forward."""
        self._wall_microseconds += round(seconds * 1_000_000)
        self._monotonic_seconds += seconds

    def set_wall(self, wall_microseconds: int) -> None:
        """Sets the wall clock alone, as an administrator or a time service does."""
        self._wall_microseconds = wall_microseconds
