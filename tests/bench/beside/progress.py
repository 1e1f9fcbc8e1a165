"""Lines that say how far a run is and how long it still takes."""

from collections.abc import Callable

_LEAST_PACE, _MOST_PACE = 0.5, 4.0


class Progress:
    """Counts the planned seconds that are done; what is left is corrected by how they really went."""

    def __init__(
        self, planned_seconds: float, monotonic_seconds: Callable[[], float], show: Callable[[str], None]
    ) -> None:
        self._planned = planned_seconds
        self._done = 0.0
        self._clock = monotonic_seconds
        self._started = monotonic_seconds()
        self._show = show

    def done(self, planned_seconds: float) -> None:
        """One planned piece is done."""
        self._done += planned_seconds

    def say(self, line: str) -> None:
        """Shows a line with the time that has passed and the time that is left."""
        self._show(f"[{clock_of(self.passed_seconds)}, about {clock_of(self.left_seconds)} left] {line}")

    @property
    def passed_seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    @property
    def left_seconds(self) -> float:
        """A guess that learns: a slow machine needs longer for what is left too."""
        pace = self.passed_seconds / self._done if self._done else 1.0
        return max(0.0, self._planned - self._done) * min(max(pace, _LEAST_PACE), _MOST_PACE)


def clock_of(seconds: float) -> str:
    """Returns minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
