"""How long the spool waits between two commits, so that calls that come meanwhile share the next one."""

from collections.abc import Iterable
from typing import Final

SPACING_SECONDS: Final = 0.02
# The pause is no longer where the first text of an answer, or its end, waits for an event: who comes later
# than that behind a commit has the next one at once, and those who come meanwhile share it.
AWAITED_SECONDS: Final = 0.004
# Calls that follow each other as closely on the mean share commits that are so far apart.
_CLOSE_SECONDS: Final = SPACING_SECONDS / 1.5
# So many must share a commit on the mean, or waiting gains nothing: a caller that is alone and asks again at
# once waits for each of its calls, and no second one comes meanwhile.
_LEAST_SHARED: Final = 1.5
# How long commits follow each other without a pause then, until one is tried again.
RESUME_SECONDS: Final = 10.0
# Means are of about so many commits.
_REMEMBERED: Final = 16
# A longer gap counts as this much, so that many calls after it are noticed soon.
_LONGEST_GAP_SECONDS: Final = 0.1
# What a producer has gathered says little of how many callers there are.
_MOST_OF_A_CALL: Final = 2


class Spacing:
    """Spaces commits for as long as so many calls come that it saves some, as their own number shows."""

    def __init__(self) -> None:
        self._is_spacing = False
        self._committed_at_seconds = self._resume_at_seconds = float("-inf")
        self._gap_seconds = _LONGEST_GAP_SECONDS
        self._shared = 0.0

    def pause_seconds(self, sizes: Iterable[int], now_seconds: float) -> float:
        """Returns the pause after a commit that ended now; `sizes` are the events of each of its calls."""
        calls = sum(min(size, _MOST_OF_A_CALL) for size in sizes)
        elapsed_seconds = now_seconds - self._committed_at_seconds
        self._committed_at_seconds = now_seconds
        if self._is_spacing:
            self._judge(calls, now_seconds)
        else:
            self._try(min(elapsed_seconds / calls, _LONGEST_GAP_SECONDS), now_seconds)
        return SPACING_SECONDS if self._is_spacing else 0.0

    def _judge(self, calls: int, now_seconds: float) -> None:
        """Ends the pauses where too few calls share a commit in spite of them."""
        self._shared += (calls - self._shared) / _REMEMBERED
        if self._shared < _LEAST_SHARED:
            self._is_spacing = False
            self._gap_seconds = _LONGEST_GAP_SECONDS
            self._resume_at_seconds = now_seconds + RESUME_SECONDS

    def _try(self, gap_seconds: float, now_seconds: float) -> None:
        """Begins to pause where calls follow each other closely."""
        self._gap_seconds += (gap_seconds - self._gap_seconds) / _REMEMBERED
        if self._gap_seconds < _CLOSE_SECONDS and now_seconds >= self._resume_at_seconds:
            self._is_spacing = True
            self._shared = 2 * _LEAST_SHARED
