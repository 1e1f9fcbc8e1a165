"""The times to a first token of the last minute, counted by class and bucket."""

from collections import Counter, deque
from typing import Final

from services.contract.first_tokens import WINDOW_SECONDS, FirstTokens, bucket_of

# They are forgotten together with those of the same few seconds.
_SLOT_SECONDS: Final = 5.0
# The classes of tickets; a number between two of them is of the class before it.
_DEFAULT: Final = 10
_BATCH: Final = 20


class FirstTokenWindow:
    """Counts from an order's arrival to its first token; holds no more than a count per class and bucket."""

    def __init__(self) -> None:
        # When each began, and its counts by class and bucket.
        self._slots: deque[tuple[float, Counter[tuple[int, int]]]] = deque()

    def note(self, ticket_priority: int, seconds: float, now_seconds: float) -> None:
        """Notes that a request had its first token now, `seconds` after it came."""
        if not self._slots or now_seconds - self._slots[-1][0] >= _SLOT_SECONDS:
            self._forget(now_seconds)
            self._slots.append((now_seconds, Counter()))
        self._slots[-1][1][_class_of(ticket_priority), bucket_of(seconds)] += 1

    def read(self, now_seconds: float) -> FirstTokens:
        """Returns what was counted in the last minute."""
        self._forget(now_seconds)
        together: Counter[tuple[int, int]] = Counter()
        for _, counts in self._slots:
            together.update(counts)
        return FirstTokens(_row(together, 0), _row(together, _DEFAULT), _row(together, _BATCH))

    def _forget(self, now_seconds: float) -> None:
        while self._slots and now_seconds - self._slots[0][0] >= WINDOW_SECONDS:
            self._slots.popleft()


def _class_of(ticket_priority: int) -> int:
    if ticket_priority >= _BATCH:
        return _BATCH
    return _DEFAULT if ticket_priority >= _DEFAULT else 0


def _row(counts: Counter[tuple[int, int]], of_class: int) -> tuple[int, ...]:
    own = {bucket: count for (one, bucket), count in counts.items() if one == of_class}
    return tuple(own.get(bucket, 0) for bucket in range(max(own, default=-1) + 1))
