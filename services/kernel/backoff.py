"""How long to wait between attempts: longer each time, never too long, and not all at once."""

from typing import Final

# Beyond it every wait is the longest one anyhow, and a power of two of any size is not a float.
_MOST_DOUBLINGS: Final = 64


class Backoff:
    """The waits of what is tried again and again: each is twice the one before, up to the longest."""

    def __init__(self, first_seconds: float, longest_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._failures = 0

    @property
    def failures(self) -> int:
        """How many attempts in a row have failed."""
        return self._failures

    def next_seconds(self, *, jitter: float) -> float:
        """Counts a failure and returns how long to wait after it.

        `jitter` in [0, 1) is random, so that those who failed together do not come back together: at 0 the
        wait is whole, and it is never less than half.
        """
        doublings = min(self._failures, _MOST_DOUBLINGS)
        self._failures += 1
        return min(self._first_seconds * 2.0**doublings, self._longest_seconds) * (1.0 - jitter / 2.0)

    def reset(self) -> None:
        """Forgets the failures: an attempt succeeded."""
        self._failures = 0
