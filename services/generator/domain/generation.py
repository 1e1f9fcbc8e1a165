"""The life of one generation: from an accepted ticket to exactly one terminal event."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from services.generator.domain import endings
from services.generator.domain.cache_salt import cache_salt
from services.generator.domain.ports import (
    ChatTurn,
    Engine,
    EngineRequest,
    Settlements,
    Step,
)
from services.generator.domain.queueing import QueueOrder
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.sampling import Room, Sampling, check_size, output_tokens_for
from services.generator.domain.terminal_event import Counts, Ending, Outcome, TerminalEvent, kv_blocks_for
from services.generator.domain.ticket import Claims
from services.generator.domain.timeline import Timeline, Timings
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller asks for, the ticket that permits it, and when it came."""

    claims: Claims
    turns: tuple[ChatTurn, ...]
    sampling: Sampling
    is_streamed: bool
    received_seconds: float
    received_at_microseconds: int
    deadline_seconds: float | None


@dataclass(frozen=True, slots=True)
class Started:
    """The prompt was counted and fits."""

    request_id: Identity
    input_tokens: int


@dataclass(frozen=True, slots=True)
class Delta:
    """New text, and the output tokens it stands for."""

    text: str
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is whole, and its event durable."""

    outcome: Outcome
    counts: Counts
    timings: Timings


Send = Callable[[Started | Delta | Finished], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every generation of a process shares."""

    engine: Engine
    recorder: UsageRecorder
    settlements: Settlements
    clock: Clock
    cache_salt_secret: bytes
    max_request_seconds: float
    max_bytes_per_token: int
    queue: QueueOrder = field(default_factory=QueueOrder)


class Generation:
    """One generation. `serve` it once; `interrupt` it from outside, in whatever phase it is."""

    def __init__(self, order: Order, surroundings: Surroundings) -> None:
        self._order = order
        self._around = surroundings
        self._timeline = Timeline(order.received_seconds)
        self._input_tokens = 0
        self._cached_input_tokens = 0
        self._output_tokens = 0
        self._is_delta_sent = False
        self._task: asyncio.Task[object] | None = None
        self._imposed: Ending | None = None
        self._is_concluded = False

    def interrupt(self, ending: Ending) -> None:
        """Ends the generation now, with this ending; does nothing once it has ended."""
        if self._is_concluded or self._imposed is not None:
            return
        self._imposed = ending
        if self._task is not None:
            self._task.cancel()

    async def serve(self, send: Send) -> None:
        """Sends Started, deltas and Finished; raises ComptoirError, or CancelledError if the caller went.

        Whatever happens, one terminal event is recorded, and none twice.
        """
        self._task = asyncio.current_task()
        try:
            async with asyncio.timeout(self._around.max_request_seconds):
                outcome = await self._generate(send)
        except BaseException as failure:
            ending = self._ending_of(failure)
            self._conclude(ending)
            if self._imposed is None and not endings.needs_translation(failure):
                raise
            self._take_back_cancel(failure)
            raise ComptoirError(ending.reason) from None
        counts, timings, recorded = self._conclude(Ending(outcome))
        await asyncio.shield(recorded)
        await send(Finished(outcome, counts, timings))

    async def _generate(self, send: Send) -> Outcome:
        if self._imposed is not None:
            raise ComptoirError(self._imposed.reason)
        request = await self._prepare()
        await send(Started(self._order.claims.request_id, self._input_tokens))
        unsent_tokens = 0
        finish = None
        try:
            async with aclosing(self._around.engine.generate(request)) as steps:
                async for step in steps:
                    self._count(step)
                    unsent_tokens += step.output_tokens
                    finish = step.finish
                    if step.text:
                        self._is_delta_sent = True
                        await send(Delta(step.text, unsent_tokens))
                        unsent_tokens = 0
        finally:
            if finish is None:
                # Closing the iterator is not enough while a request is being submitted.
                self._around.recorder.finish(self._around.engine.abort(request.request_id))
        return endings.outcome_of(finish)

    async def _prepare(self) -> EngineRequest:
        claims, sampling = self._order.claims, self._order.sampling
        context_tokens = self._around.engine.capabilities.context_tokens
        room = Room(claims.max_input_tokens, claims.max_output_tokens, context_tokens)
        text_bytes = sum(len(text.encode()) for turn in self._order.turns for text in turn.texts)
        check_size(text_bytes, self._around.max_bytes_per_token, room)
        input_ids = await self._around.engine.tokenize_chat(self._order.turns)
        self._input_tokens = len(input_ids)
        return EngineRequest(
            request_id=claims.ticket_id.hex,
            input_ids=input_ids,
            sampling=sampling,
            max_output_tokens=output_tokens_for(sampling.max_output_tokens, self._input_tokens, room),
            priority=self._around.queue.number(claims.priority, self._order.received_seconds),
            cache_salt=cache_salt(self._around.cache_salt_secret, claims.tenant),
        )

    def _count(self, step: Step) -> None:
        if step.output_tokens:
            self._timeline.output(self._around.clock.monotonic_seconds())
        self._timeline.engine_waits(queue_seconds=step.queue_seconds, prefill_seconds=step.prefill_seconds)
        self._output_tokens += step.output_tokens
        self._cached_input_tokens = max(self._cached_input_tokens, step.cached_input_tokens)

    def _ending_of(self, failure: BaseException) -> Ending:
        now_seconds = self._around.clock.monotonic_seconds()
        is_late = endings.is_past(self._order.deadline_seconds, now_seconds)
        return self._imposed or endings.ending_of(failure, is_late=is_late)

    def _conclude(self, ending: Ending) -> tuple[Counts, Timings, asyncio.Future[None]]:
        self._is_concluded = True
        order, around = self._order, self._around
        counts = self._counts_of(ending)
        timings = self._timeline.close(around.clock.monotonic_seconds())
        event = TerminalEvent(
            event_id=Identity.random(),
            claims=order.claims,
            ending=ending,
            counts=counts,
            timings=timings,
            actual_kv_blocks=kv_blocks_for(counts, around.engine.capabilities.kv_block_tokens),
            started_at_microseconds=order.received_at_microseconds,
            is_streamed=order.is_streamed,
        )
        is_unserved = endings.leaves_next_ticket(ending, is_delta_sent=self._is_delta_sent)
        around.settlements.settle(order.claims, Counts() if is_unserved else counts, is_unserved=is_unserved)
        return counts, timings, around.recorder.record(event)

    def _counts_of(self, ending: Ending) -> Counts:
        # Nobody pays for a request that was refused, though its prompt may have been counted to know it.
        if ending.outcome is Outcome.REFUSED and not self._is_delta_sent:
            return Counts(0, 0, 0)
        return Counts(self._input_tokens, self._cached_input_tokens, self._output_tokens)

    def _take_back_cancel(self, failure: BaseException) -> None:
        # The cancellation was ours, so the task goes on and tells the caller why.
        if isinstance(failure, asyncio.CancelledError) and self._task is not None:
            self._task.uncancel()
