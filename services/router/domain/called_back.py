"""A lease that is given back: its tickets are called back from replicas, and it ends when those know."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from services.kernel.clock import Clock
from services.kernel.identity import Identity
from services.router.domain.lease import Freed, Process
from services.router.domain.ports import LeaseStore

# Of one process, and processes: what is above ends with its tickets, seconds later.
_MOST_OF_PROCESS: Final = 1000
_MOST_PROCESSES: Final = 1024


class CalledBack:
    """Gives leases back, and keeps what is to be said of them to each process until it is taken.

    A caller cannot prove that it does not use its ticket, so nothing is lent again for its word. The replica
    of the ticket can: what it has not accepted when it is told, it never accepts.
    """

    def __init__(self, store: LeaseStore, clock: Clock, *, lasts_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._lasts_seconds = lasts_seconds
        # With the moment until which each is worth saying.
        self._waiting: dict[Process, deque[tuple[float, Identity]]] = {}

    async def release(self, lease_id: Identity) -> tuple[bool, Freed | None]:
        """As the store, and calls back what keeps the lease reserved."""
        # Asked before: of a released lease no further ticket is signed, and so none is known.
        issued = await self._store.issued(lease_id)
        is_released, freed = await self._store.release(lease_id)
        if is_released and freed is None and issued is not None:
            self._add(lease_id, issued.processes)
        return is_released, freed

    def take(self, process: Process) -> Sequence[Identity]:
        """Returns the leases that a process is to be told of, once each, but those that are over by now."""
        now_seconds = self._clock.monotonic_seconds()
        return [lease_id for until, lease_id in self._waiting.pop(process, ()) if now_seconds < until]

    def _add(self, lease_id: Identity, processes: Iterable[Process]) -> None:
        until_seconds = self._clock.monotonic_seconds() + self._lasts_seconds
        for process in processes:
            waiting = self._waiting.setdefault(process, deque(maxlen=_MOST_OF_PROCESS))
            waiting.append((until_seconds, lease_id))
        while len(self._waiting) > _MOST_PROCESSES:
            del self._waiting[next(iter(self._waiting))]
