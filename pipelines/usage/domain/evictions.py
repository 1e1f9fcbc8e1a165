"""How often the group dropped this member, although it lives: whether another one has its name."""

from collections import deque
from typing import Final

# Silence costs a member its place once in a session at most, so more of that within two is somebody else.
_SESSIONS: Final = 2
_FEWEST: Final = 3
_REMIND_SECONDS: Final = 60.0


class Evictions:
    """The latest evictions of one member, by the monotonic clock."""

    def __init__(self, session_seconds: float) -> None:
        self._within_seconds = _SESSIONS * session_seconds
        self._latest: deque[float] = deque(maxlen=_FEWEST)
        self._told_seconds: float | None = None

    def note(self, now_seconds: float) -> bool:
        """Takes one in; returns True where an operator is to be told, which is seldom while they go on."""
        self._latest.append(now_seconds)
        told_seconds = self._told_seconds
        is_due = told_seconds is None or now_seconds - told_seconds >= _REMIND_SECONDS
        if not is_due or not self.is_contested(now_seconds):
            return False
        self._told_seconds = now_seconds
        return True

    def is_contested(self, now_seconds: float) -> bool:
        """Returns True while there were more of them lately than silence can be the cause of."""
        return len(self._latest) == _FEWEST and now_seconds - self._latest[0] < self._within_seconds
