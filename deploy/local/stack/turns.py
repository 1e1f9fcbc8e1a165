"""In which order processes start beside one whose start fills a core: it must not share that core."""

import asyncio
import os
from collections.abc import Collection
from typing import Final

from deploy.local.stack.plan import ProcessPlan

# On a busy machine, or where a broker reads a long log again, the next one starts all the same.
_LONGEST_SECONDS: Final = 5.0


class Turns:
    """As many processes start at once as there are cores beside those that are filled; all, if none is.

    An engine computes for seconds on one core, and everything waits for it. With all the others beside it on
    few cores it has a third of one for half of that time.
    """

    def __init__(
        self,
        plan: Collection[ProcessPlan],
        cores: int | None = None,
        *,
        longest_seconds: float = _LONGEST_SECONDS,
    ) -> None:
        self._longest_seconds = longest_seconds
        self._filling = {entry.name for entry in plan if entry.fills_a_core}
        left = (available_cores() if cores is None else cores) - len(self._filling)
        self._most = len(plan)
        self._free = asyncio.Semaphore(max(1, left) if self._filling else self._most)
        self._holders: set[str] = set()

    async def take(self, name: str) -> None:
        """Returns once the process may start: those that fill a core at once, the others as they came."""
        if name not in self._filling:
            await self._free.acquire()
            self._holders.add(name)
            asyncio.get_running_loop().call_later(self._longest_seconds, self.give_back, name)

    def give_back(self, name: str) -> None:
        """Ends the turn of a process that has started, or now only waits for others; safe to repeat."""
        if name in self._holders:
            self._holders.remove(name)
            self._free.release()
        elif name in self._filling:
            self._filling.remove(name)
            for _ in range(1 if self._filling else self._most):
                self._free.release()


def available_cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0))
