"""One request from its admission to its last delta: tickets, deadlines, the lease, and what is counted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from services.edge.domain.generation import Counts, Delta, GenerationRequest
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.ports import Admission, Generators, Router
from services.edge.domain.ticketed_generation import TicketedGeneration
from services.edge.domain.timeline import EdgeRequest
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.logs import get_logger

_log = get_logger(__name__)
# The replica has the same deadline and tells its end better; this bounds what waits for the client.
_AFTER_DEADLINE_SECONDS: Final = 0.5


class Delivery:
    """The deltas of one admitted request, within its deadlines; `quota` is the key's after the admission."""

    def __init__(self, generation: TicketedGeneration, admission: Admission, *, first_text_by: float) -> None:
        self._generation = generation
        self._admission = admission
        self._first_text_by = first_text_by
        self._has_begun = False
        self.quota = admission.quota

    @property
    def counts(self) -> Counts:
        """The counts of the whole answer; INTERNAL before `next_delta` returned None."""
        counts = self._generation.counts
        if counts is None:
            raise ComptoirError(Reason.INTERNAL)
        return counts

    async def start(self) -> None:
        """Returns once a replica accepted the request and its admission is durable.

        A refusal can keep its real status until then, and nothing of an answer has left.

        Raises ComptoirError, and TimeoutError where the time to the first text is over.
        """
        async with asyncio.timeout_at(self._first_text_by):
            await self._generation.start()
            await self._admission.recorded()

    async def next_delta(self) -> Delta | None:
        """Returns what comes next, None when the answer is whole; raises as `start` does."""
        if self._has_begun:
            return await self._generation.next_delta()
        async with asyncio.timeout_at(self._first_text_by):
            delta = await self._generation.next_delta()
        self._has_begun = True
        return delta


class Deliveries:
    """Opens deliveries, and releases the leases of those that no replica served."""

    def __init__(self, router: Router, generators: Generators, limits: EdgeLimits, clock: Clock) -> None:
        self._router = router
        self._generators = generators
        self._limits = limits
        self._clock = clock
        self._releases: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(
        self, *, key: str, request: GenerationRequest, event: EdgeRequest
    ) -> AsyncIterator[Delivery]:
        """Admits `request`; while entered, bounds its time; at the end, counts in `event` what it was.

        Raises ComptoirError: the router's, or DEADLINE_EXCEEDED for a TimeoutError within.
        """
        admission = await self._admit(key, request, event)
        deadline_seconds = event.received_seconds + self._limits.request_seconds
        generation = TicketedGeneration(
            self._generators,
            admission,
            request,
            deadline_seconds=deadline_seconds,
        )
        first_text_by = asyncio.get_running_loop().time() + self._limits.first_text_seconds
        left_seconds = deadline_seconds - self._clock.monotonic_seconds()
        try:
            async with asyncio.timeout(left_seconds + _AFTER_DEADLINE_SECONDS):
                yield Delivery(generation, admission, first_text_by=first_text_by)
        except TimeoutError:
            raise ComptoirError(Reason.DEADLINE_EXCEEDED) from None
        finally:
            self._conclude(generation, admission.lease, event)

    async def close(self, *, within_seconds: float) -> None:
        """Waits for leases that are being released."""
        if self._releases:
            await asyncio.wait(self._releases, timeout=within_seconds)

    async def _admit(self, key: str, request: GenerationRequest, event: EdgeRequest) -> Admission:
        admission = await self._router.admit(key=key, request=request, request_id=event.request_id)
        event.admitted_seconds = self._clock.monotonic_seconds()
        event.model_number = admission.model_number
        event.tenant_number = admission.tenant_number
        event.key_number = admission.key_number
        return admission

    def _conclude(self, generation: TicketedGeneration, lease: Identity, event: EdgeRequest) -> None:
        generation.cancel()
        event.attempts = generation.attempts
        if generation.counts is not None:
            event.input_tokens = generation.counts.input_tokens
            event.output_tokens = generation.counts.output_tokens
        if generation.is_lease_unused:
            # In the background: the client's error must not wait for the router.
            task = asyncio.create_task(self._release(lease))
            self._releases.add(task)
            task.add_done_callback(self._releases.discard)

    async def _release(self, lease: Identity) -> None:
        try:
            await self._router.release(lease)
        except ComptoirError as error:
            # The lease expires by itself.
            _log.warning("release_failed", reason=error.reason.name)
