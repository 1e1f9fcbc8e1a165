"""Events that are alike, of which one stands for all that came within a second."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

# How long one that came waits for others that are like it.
WITHIN_SECONDS: Final = 1.0
# Kinds of events at once; with one more, all that wait are sent.
MAX_GROUPS: Final = 1_000

_Event = TypeVar("_Event")


class CountedEvents(Generic[_Event]):
    """Holds the first event of each group, and counts those behind it until it is sent.

    So however many come, those of one group are one event a second.
    """

    def __init__(self, send: Callable[[_Event, int], None]) -> None:
        self._send = send
        self._groups: dict[Hashable, tuple[_Event, int]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, group: Hashable, event: _Event) -> None:
        """Counts an event; `group` is all that those which it may stand for have in common."""
        first, count = self._groups.get(group, (event, 0))
        self._groups[group] = (first, count + 1)
        if len(self._groups) > MAX_GROUPS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WITHIN_SECONDS, self.flush)

    def flush(self) -> None:
        """Sends what waits, each with how many events it stands for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        groups, self._groups = self._groups, {}
        for event, count in groups.values():
            self._send(event, count)
