"""What the spool's callers want, in order of arrival, on its way to the writer thread."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from services.emitter.domain.ports import Event
from services.emitter.domain.spacing import AWAITED_SECONDS
from services.kernel.errors import ComptoirError

# One transaction takes at most this many calls, so that the first of them does not wait for ever, and about
# this many bytes, so that the write-ahead log stays small (`sqlite_file.py`).
_GROUP_CALLS: Final = 256
_GROUP_BYTES: Final = 256 * 1024

# Waits for so many seconds at most, and shorter where the event is set, or will be.
Pause = Callable[[threading.Event, float], None]


@dataclass(slots=True)
class Call:
    """One caller's work, or the events that it brings, and the future that tells the result.

    Events need disk space that stays used; all other work is what gives space back.
    """

    work: Callable[[], Any]
    done: "asyncio.Future[Any]"
    events: Sequence[Event] = ()
    result: Any = None
    failure: ComptoirError | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether the first text of an answer, or its end, waits for it."""
        return any(event.is_awaited for event in self.events)

    @property
    def size_bytes(self) -> int:
        """An upper bound of what it adds to the spool."""
        return sum(event.size_bytes for event in self.events)


class Group(NamedTuple):
    """The calls of one transaction; `is_last` where nothing comes after them."""

    calls: Sequence[Call]
    is_last: bool


def until_awaited(
    is_awaited: threading.Event, seconds: float, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Pauses for AWAITED_SECONDS, so that commits are so far apart, and then until a client waits."""
    shortest_seconds = min(seconds, AWAITED_SECONDS)
    sleep(shortest_seconds)
    is_awaited.wait(seconds - shortest_seconds)


class CallQueue:
    """Calls of the event loop, taken in groups by the writer thread.

    It may pause between two groups, so that more calls share the next. The pause ends early where the first
    text of an answer, or its end, waits for one of them.
    """

    def __init__(self, pause: Pause) -> None:
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._pause = pause
        # Of the calls that are awaited: how many came, which the event loop counts, and were taken.
        self._awaited_put = self._awaited_taken = 0
        self._is_awaited = threading.Event()

    @property
    def size(self) -> int:
        """About how many wait."""
        return self._calls.qsize()

    @property
    def is_group_full(self) -> bool:
        """Whether no more calls fit into the next group."""
        return self.size >= _GROUP_CALLS

    def put(self, call: Call) -> None:
        """Adds a call behind all others."""
        is_awaited = call.is_awaited
        self._awaited_put += is_awaited
        self._calls.put(call)
        if is_awaited:
            self._is_awaited.set()

    def end(self) -> None:
        """Says that no more calls come."""
        self._calls.put(None)

    def take(self) -> Group:
        """Returns what waits, as much as a transaction may hold; waits for the first call."""
        calls, size_bytes = list[Call](), 0
        while len(calls) < _GROUP_CALLS and size_bytes < _GROUP_BYTES:
            if calls and self._calls.empty():
                break
            call = self._calls.get()
            if call is None:
                return Group(calls, is_last=True)
            calls.append(call)
            size_bytes += call.size_bytes
            self._awaited_taken += call.is_awaited
        return Group(calls, is_last=False)

    def pause(self, seconds: float) -> None:
        """Waits for as long, or shorter where a call that is awaited is in line, or comes meanwhile."""
        # Cleared before the counts are read: who comes behind that sets it again.
        self._is_awaited.clear()
        if self._awaited_put > self._awaited_taken:
            self._is_awaited.set()
        self._pause(self._is_awaited, seconds)
