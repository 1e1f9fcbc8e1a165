"""Processes of replicas that no router hears any more: what they hold may be given up."""

import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.router.domain.lease import Process
from services.router.domain.limits import RouterLimits
from services.router.domain.ports import ReplicaDirectory

# A router that heard a process so lately hears it, as far as another one knows. It says so every second. With
# the time for which a silent one counts as heard, that is less than until it is given up for silent.
HEARD_SECONDS: Final = 4.0


class Hearing(Protocol):
    """What the routers of one lease store know of whom the others hear; raises QUOTA_UNAVAILABLE."""

    async def hear(self, processes: Sequence[Process]) -> None:
        """Says that this router hears processes, for HEARD_SECONDS."""
        ...

    async def is_heard_elsewhere(self, process: Process) -> bool:
        """Tells whether another router hears a process, which this one does not hear any more."""
        ...


class Alone:
    """The Hearing of a router that shares its leases with nobody."""

    async def hear(self, processes: Sequence[Process]) -> None:
        """Tells nobody."""

    async def is_heard_elsewhere(self, process: Process) -> bool:
        """Knows that there is nobody else."""
        del process
        return False


ALONE: Final = Alone()


class GoneProcesses:
    """Whom this router has lost and not given up yet.

    A router that is cut off from a replica knows less than one that hears it: the places of what runs there
    are taken, and to give them up would lend them twice. So a process is gone once no router of the store
    hears it; until then this one asks again each second, since the other may be lost with the replica.
    """

    def __init__(
        self, replicas: ReplicaDirectory, hearing: Hearing, clock: Clock, limits: RouterLimits
    ) -> None:
        self._replicas = replicas
        self._hearing = hearing
        self._clock = clock
        self._limits = limits
        # The directory tells each once: what the store did not hear, because it was away, it is told again.
        self._lost: dict[Process, None] = {}
        # A store that was away is told by the others within a second whom they hear.
        self._believes_from_seconds = -math.inf

    async def tell(self) -> None:
        """Says whom this router hears; to be called every second."""
        now_seconds, silent_seconds = self._clock.monotonic_seconds(), self._limits.report_timeout_seconds
        heard = [
            one.registration.process
            for one in self._replicas.everyone()
            if now_seconds - one.reported_at_seconds <= silent_seconds
        ]
        with self._noting_absence():
            await self._hearing.hear(heard)

    async def find(self) -> AsyncIterator[Process]:
        """Yields those that nobody hears, each until it is given up."""
        self._lost.update(dict.fromkeys(self._replicas.gone(self._clock.monotonic_seconds())))
        for process in list(self._lost):
            with self._noting_absence():
                is_heard = await self._hearing.is_heard_elsewhere(process)
            # It may have come back while the others were asked, or while the store heard of another one.
            if process in (one.registration.process for one in self._replicas.everyone()):
                # It says itself what it holds.
                self._lost.pop(process, None)
            elif not is_heard and self._clock.monotonic_seconds() >= self._believes_from_seconds:
                yield process

    def give_up(self, process: Process) -> None:
        """Takes note that the store has heard of it."""
        self._lost.pop(process, None)

    @contextmanager
    def _noting_absence(self) -> Iterator[None]:
        try:
            yield
        except ComptoirError:
            self._believes_from_seconds = self._clock.monotonic_seconds() + HEARD_SECONDS
            raise
