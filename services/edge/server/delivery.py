"""One request from its admission to its last delta: tickets, deadlines, the lease, and what is counted."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from services.edge.domain.generation import Counts, Delta, GenerationRequest, Priority
from services.edge.domain.hedging import Hedging
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.losses import Losses
from services.edge.domain.ports import Admission, Generators, Retirement, Router, Take
from services.edge.domain.ticketed_generation import TicketedGeneration
from services.edge.domain.timeline import EdgeRequest
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import QuotaState
from services.runtime.logs import get_logger

_log = get_logger(__name__)
# The replica has the same deadline and tells its end better; this bounds what waits for the client.
_AFTER_DEADLINE_SECONDS: Final = 0.5


class Delivery:
    """The deltas of one request, within its deadlines.

    It is admitted by `start`, and anew where the replica that it was sent to is lost before any delta. While
    entered, its time is bounded, and a TimeoutError within leaves as DEADLINE_EXCEEDED.
    """

    def __init__(
        self, deliveries: "Deliveries", key: str, request: GenerationRequest, event: EdgeRequest
    ) -> None:
        self._deliveries = deliveries
        self._limit = asyncio.timeout(None)
        self._key = key
        self._request = request
        self._event = event
        self._losses = Losses(unreachable_seconds=deliveries.limits.unreachable_seconds)
        self._quota: QuotaState | None = None
        self._release: Callable[[], Awaitable[None]] | None = None
        self._model_name = request.model
        self._retirement: Retirement | None = None
        self._priority = request.priority
        self._generation: TicketedGeneration | None = None
        self._admitted_at = 0.0
        self._first_text_by = 0.0
        self._has_begun = False
        self._attempts = 0

    async def __aenter__(self) -> Self:
        self._limit = asyncio.timeout(self._deliveries.left_seconds(self._event) + _AFTER_DEADLINE_SECONDS)
        await self._limit.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._limit.__aexit__(kind, error, trace)
            if isinstance(error, TimeoutError):
                raise error
        except TimeoutError:
            raise ComptoirError(Reason.DEADLINE_EXCEEDED) from None
        finally:
            self.conclude()

    @property
    def quota(self) -> QuotaState:
        """The key's quota after the admission; INTERNAL before `start` returned."""
        if self._quota is None:
            raise ComptoirError(Reason.INTERNAL)
        return self._quota

    @property
    def model_name(self) -> str:
        """The name of the model that answers, which is known after the admission."""
        return self._model_name

    @property
    def priority(self) -> Priority:
        """The scheduling class that the key permits of what was asked for, as the admission has it."""
        return self._priority

    @property
    def retirement(self) -> Retirement | None:
        """Since when the name that was asked for should not be used, as the admission has it."""
        return self._retirement

    @property
    def counts(self) -> Counts:
        """The counts of the whole answer; INTERNAL before `next_delta` returned None."""
        counts = None if self._generation is None else self._generation.counts
        if counts is None:
            raise ComptoirError(Reason.INTERNAL)
        return counts

    @property
    def is_delta_waiting(self) -> bool:
        """Whether `next_delta` has something to return at once."""
        return self._generation is not None and self._generation.is_delta_waiting

    async def start(self) -> None:
        """Returns once a replica accepted the request and its admission is durable.

        A refusal can keep its real status until then, and nothing of an answer has left.

        Raises ComptoirError, and TimeoutError where the time to the first text is over.
        """
        while True:
            admission, generation = await self._admit()
            async with asyncio.timeout_at(self._first_text_by):
                try:
                    await generation.start()
                    # A router that is lost before its word leaves the request as a lost replica does:
                    # admitted, perhaps recorded, and without text.
                    await admission.recorded()
                except ComptoirError as error:
                    lost = error
                else:
                    return
            await self._wait_after(lost, is_accepted=False)

    async def next_delta(self, take: Take | None = None) -> Delta | None:
        """Returns what comes next, None when the answer is whole; raises as `start` does.

        Behind the first delta, `take` may be given text in the turn of the loop in which it comes, in order.
        """
        if self._generation is None:
            raise ComptoirError(Reason.INTERNAL)
        if self._has_begun:
            return await self._generation.next_delta(take)
        while True:
            try:
                async with asyncio.timeout_at(self._first_text_by):
                    delta = await self._generation.next_delta()
            except ComptoirError as error:
                await self._wait_after(error, is_accepted=True)
                await self.start()
            else:
                self._has_begun = True
                self._request = self._request.without_text()
                return delta

    def conclude(self) -> None:
        """Stops what runs and counts what was; harmless at any time."""
        generation, self._generation = self._generation, None
        if generation is None:
            return
        generation.cancel()
        self._attempts += generation.attempts
        self._event.attempts = max(self._event.attempts, self._attempts)
        self._event.transfer_record = generation.transfer_record
        if generation.counts is not None:
            self._event.input_tokens += generation.counts.input_tokens
            self._event.output_tokens += generation.counts.output_tokens
        if generation.is_lease_unused and self._release is not None:
            self._deliveries.release(self._release)

    async def _admit(self) -> tuple[Admission, TicketedGeneration]:
        admission = await self._deliveries.admit(self._key, self._request, self._event)
        self._quota, self._release = admission.quota, admission.release
        self._model_name = admission.model_name or self._request.model
        self._retirement = admission.retirement
        self._priority = admission.priority or self._request.priority
        self._admitted_at = asyncio.get_running_loop().time()
        self._first_text_by = self._admitted_at + self._deliveries.limits.first_text_seconds
        if self._request.inputs:
            # Vectors come when the last of them is made: they have the time of the whole request.
            self._first_text_by = self._admitted_at + max(0.0, self._deliveries.left_seconds(self._event))
        self._generation = self._deliveries.generation(admission, self._request, self._event)
        return admission, self._generation

    async def _wait_after(self, error: ComptoirError, *, is_accepted: bool) -> None:
        """Returns when the router may be asked again; raises `error` where that is in vain."""
        generation = self._generation
        attempts = 0 if generation is None else generation.attempts
        # One that hung may have accepted it too.
        is_accepted = is_accepted or (generation is not None and generation.has_left_one)
        self.conclude()
        pause_seconds = self._losses.pause_seconds(
            error.reason,
            accepted=attempts if is_accepted else 0,
            tried_seconds=asyncio.get_running_loop().time() - self._admitted_at,
            jitter=random.random(),  # noqa: S311 - spreads those that lost the same replica
        )
        if pause_seconds is None:
            raise error
        _log.info("admitted_again", reason=error.reason.name)
        await asyncio.sleep(pause_seconds)


class Deliveries:
    """Opens deliveries, and releases the leases of those that no replica served."""

    def __init__(
        self,
        router: Router,
        generators: Generators,
        limits: EdgeLimits,
        clock: Clock,
        hedging: Hedging | None = None,
    ) -> None:
        self._router = router
        self._generators = generators
        self.limits = limits
        self._clock = clock
        self._hedging = hedging or Hedging(limits.first_token_hedge_seconds)
        self._releases: set[asyncio.Task[None]] = set()

    def open(self, *, key: str, request: GenerationRequest, event: EdgeRequest) -> Delivery:
        """Returns the delivery of `request`, which is to be entered."""
        return Delivery(self, key, request, event)

    def left_seconds(self, event: EdgeRequest) -> float:
        """Returns the time until the deadline of a request."""
        return self._deadline_seconds(event) - self._clock.monotonic_seconds()

    async def close(self, *, within_seconds: float) -> None:
        """Waits for leases that are being released."""
        if self._releases:
            await asyncio.wait(self._releases, timeout=within_seconds)

    async def admit(self, key: str, request: GenerationRequest, event: EdgeRequest) -> Admission:
        """Asks the router, which may hold the request for as long as its client waits."""
        admission = await self._router.admit(
            key=key,
            request=request,
            request_id=event.request_id,
            within_seconds=max(0.0, self.left_seconds(event)),
            source=event.source,
        )
        event.admitted_seconds = self._clock.monotonic_seconds()
        event.model_number = admission.model_number
        event.tenant_number = admission.tenant_number
        event.key_number = admission.key_number
        event.home_region = admission.home_region
        event.transfer_record = admission.offer.transfer_record
        return admission

    def generation(
        self, admission: Admission, request: GenerationRequest, event: EdgeRequest
    ) -> TicketedGeneration:
        """Returns what reads the generation of an admitted request."""
        return TicketedGeneration(
            self._generators,
            admission,
            request,
            deadline_seconds=self._deadline_seconds(event),
            hedging=self._hedging,
        )

    def release(self, give_back: Callable[[], Awaitable[None]]) -> None:
        """Gives a lease back, in the background: the client's error must not wait for the router."""
        task = asyncio.create_task(_release(give_back))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    def _deadline_seconds(self, event: EdgeRequest) -> float:
        return event.received_seconds + self.limits.request_seconds


async def _release(give_back: Callable[[], Awaitable[None]]) -> None:
    try:
        await give_back()
    except ComptoirError as error:
        # The lease expires by itself.
        _log.warning("release_failed", reason=error.reason.name)
