"""When keys were used last, by the hour, until it is written."""

from typing import Final

_HOUR_SECONDS: Final = 3600
# Where more keys are used between two writes, their hour is noted with their next request.
MAX_WAITING: Final = 100_000


class Uses:
    """Notes a use without a write; of each key and hour only the first one waits to be written."""

    def __init__(self) -> None:
        self._noted: dict[int, int] = {}
        self._waiting: dict[int, int] = {}

    def note(self, key: int, now_seconds: float) -> None:
        """Notes that a key, by its number, was used now by the wall clock."""
        hour_seconds = int(now_seconds) // _HOUR_SECONDS * _HOUR_SECONDS
        if self._noted.get(key) != hour_seconds and len(self._waiting) < MAX_WAITING:
            self._noted[key] = self._waiting[key] = hour_seconds

    def take(self) -> dict[int, int]:
        """Returns the beginnings of hours that wait to be written, by the keys' numbers."""
        waiting, self._waiting = self._waiting, {}
        if len(self._noted) > MAX_WAITING:
            self._noted = dict(waiting)
        return waiting

    def give_back(self, uses: dict[int, int]) -> None:
        """Has uses wait again that could not be written."""
        self._waiting = uses | self._waiting
