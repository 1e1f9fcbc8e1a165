"""How long event ids are remembered: two epochs, counted in the time in which the spool takes events."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """A span in which ids are written down together; they are known in it and in the next.

    The next epoch begins with the first new event after the window, so an outage, however long, ages no id:
    whoever repeats a call afterwards has a whole window to do it.
    """

    number: int = 0
    began_at_microseconds: int = 0

    def at(self, now_microseconds: int, window_seconds: float) -> "Epoch":
        """The epoch of an event that is taken now."""
        age_microseconds = now_microseconds - self.began_at_microseconds
        if age_microseconds >= window_seconds * 1_000_000:
            return Epoch(self.number + 1, now_microseconds)
        # A clock that was set back makes the epoch longer, never shorter.
        return self if age_microseconds >= 0 else Epoch(self.number, now_microseconds)
