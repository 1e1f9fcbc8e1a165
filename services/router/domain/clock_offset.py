"""How far a replica's clock is from this router's, from the reports that it sends."""

from collections import deque
from typing import Final

_REPORTS: Final = 5
_MICROSECONDS: Final = 1_000_000


class ClockOffset:
    """The offset of one stream's sender: positive where its clock is fast.

    A report says when it was sent by the sender's clock. It is heard later, by an unknown delay, so sent
    minus heard is at most the offset. Of the last few reports the largest is nearest: one quick report
    is enough, and a clock that was set right is believed a few reports later.
    """

    def __init__(self) -> None:
        self._at_most: deque[int] = deque(maxlen=_REPORTS)

    def hear(self, *, sent_at_microseconds: int, heard_at_microseconds: int) -> None:
        """Takes one report's time; 0 is that of a sender that does not say it."""
        if sent_at_microseconds:
            self._at_most.append(sent_at_microseconds - heard_at_microseconds)

    @property
    def seconds(self) -> float | None:
        """Returns the offset, or None where the sender says no times."""
        return max(self._at_most) / _MICROSECONDS if self._at_most else None
