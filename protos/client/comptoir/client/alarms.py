"""What the blocking client does when its time has come, beside the threads of its callers."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Alarm:
    """Something to do later."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def cancel(self) -> None:
        """Leaves it undone, unless it is being done; harmless at any time and from any thread."""
        self.act = _nothing


class Alarms:
    """Acts when their time has come, in one thread of the client, which begins with the first."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Alarm]] = []
        self._order = itertools.count()
        self._news = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def at(self, moment: float, act: Callable[[], None]) -> Alarm:
        """Returns what is done at a moment of the monotonic clock; it must not wait."""
        alarm = Alarm(act)
        with self._news:
            if self._is_closed:
                return alarm
            # Cancelled ones stay until their time has come: the thread is woken for none of the usual ones.
            heapq.heappush(self._due, (moment, next(self._order), alarm))
            if self._thread is None:
                self._thread = threading.Thread(target=self._act, name="comptoir-hedges", daemon=True)
                self._thread.start()
            if self._due[0][2] is alarm:
                self._news.notify()
        return alarm

    def close(self) -> None:
        """Does nothing more, and ends the thread."""
        with self._news:
            self._is_closed = True
            self._due.clear()
            self._news.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _act(self) -> None:
        while (alarm := self._next()) is not None:
            alarm.act()

    def _next(self) -> Alarm | None:
        with self._news:
            while not self._is_closed:
                left_seconds = self._due[0][0] - time.monotonic() if self._due else None
                if left_seconds is not None and left_seconds <= 0:
                    return heapq.heappop(self._due)[2]
                self._news.wait(left_seconds)
        return None


def _nothing() -> None:
    """Takes no time."""
