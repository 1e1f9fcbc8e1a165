"""Whether a process lives and is ready, as probes ask: its loop says it, through threads that outlive it."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from services.kernel.readiness import Unready

# The loop of a busy process answers within milliseconds: one that takes so long stands still.
_LOOP_SECONDS: Final = 8.0


class Probes:
    """What one process tells its probes; before it is told anything, the process is starting."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._why_unready: Callable[[], str] = lambda: Unready.STARTING.name

    def ready_by(self, why_unready: Callable[[], str]) -> None:
        """Sets what says why the process takes no calls, or nothing where it does; let that be small."""
        self._why_unready = why_unready

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes the loop that is to answer."""
        self._loop = loop

    def is_alive(self) -> bool:
        """Waits, in the caller's thread, for the loop's next turn; False where it does not come."""
        answered = threading.Event()
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:
            return False  # it is closed
        return answered.wait(_LOOP_SECONDS)

    def why_unready(self) -> str:
        """Returns the name of the reason for which the process is not ready, empty where it is."""
        return self._why_unready()


PROBES: Final = Probes()
