"""How long event ids are remembered: two spans, counted in the time in which the spool takes events."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdSpan:
    """A stretch of time in which ids are written down together; they are known in it and in the next.

    `passed_seconds` is how much of it was over at `seen_at_seconds`, a moment of the process's monotonic
    clock: the wall clock jumps, and two jumps within a minute would forget every id. The next span begins
    with the first new event after the window, so an outage, however long, ages no id: a producer that
    repeats a call afterwards has a whole window to do it.
    """

    number: int
    passed_seconds: float
    seen_at_seconds: float

    def at(self, now_seconds: float, window_seconds: float) -> "IdSpan":
        """Returns the span of an event that is taken now."""
        passed_seconds = self.passed_seconds + max(now_seconds - self.seen_at_seconds, 0.0)
        if passed_seconds >= window_seconds:
            return IdSpan(self.number + 1, 0.0, now_seconds)
        return IdSpan(self.number, passed_seconds, now_seconds)
