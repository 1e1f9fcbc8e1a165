"""A request from its accepted ticket to exactly one terminal event, whatever it asks the engine for."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from services.generator.domain import endings
from services.generator.domain.first_token_window import FirstTokenWindow
from services.generator.domain.kv_growth import Filling, filling_of
from services.generator.domain.pace import InputWork
from services.generator.domain.ports import Engine, Settlements, Sleep
from services.generator.domain.queueing import QueueOrder
from services.generator.domain.reasoning import ReasoningFormat
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.template import TemplateRules
from services.generator.domain.terminal_event import Counts, Ending, Outcome, TerminalEvent, kv_blocks_for
from services.generator.domain.ticket import Claims
from services.generator.domain.timeline import Timeline, Timings
from services.generator.domain.tools import ToolFormat
from services.generator.domain.vector_memory import VectorMemory
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity


class AcceptedOrder(Protocol):
    """What every order has: the ticket that permits it, and when it came."""

    @property
    def claims(self) -> Claims:
        """The ticket's statements."""
        ...

    @property
    def is_streamed(self) -> bool:
        """Whether the caller shows the answer while it comes."""
        ...

    @property
    def received_seconds(self) -> float:
        """When it came, on the monotonic clock."""
        ...

    @property
    def received_at_microseconds(self) -> int:
        """When it came, on the wall clock."""
        ...

    @property
    def deadline_seconds(self) -> float | None:
        """Until when its caller waits, on the monotonic clock."""
        ...


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What every request of a process shares."""

    engine: Engine
    recorder: UsageRecorder
    settlements: Settlements
    clock: Clock
    cache_salt_secret: bytes
    max_request_seconds: float
    max_bytes_per_token: int
    tool_format: ToolFormat | None = None
    queue: QueueOrder = field(default_factory=QueueOrder)
    reasoning_format: ReasoningFormat | None = None
    template: TemplateRules = field(default_factory=TemplateRules)
    vector_memory: VectorMemory = field(default_factory=VectorMemory)
    input_work: InputWork = field(default_factory=InputWork)
    first_tokens: FirstTokenWindow = field(default_factory=FirstTokenWindow)
    sleep: Sleep = asyncio.sleep


AnyOrder = TypeVar("AnyOrder", bound=AcceptedOrder)
Got = TypeVar("Got")


class AcceptedRequest(Generic[AnyOrder]):
    """One request. A subclass does the work; `interrupt` ends it from outside, in whatever phase it is."""

    def __init__(self, order: AnyOrder, parts: SharedParts) -> None:
        self._order = order
        self._parts = parts
        self._timeline = Timeline(order.received_seconds)
        self._input_tokens = 0
        self._cached_input_tokens = 0
        self._output_tokens = 0
        self._is_delta_sent = False
        self._task: asyncio.Task[object] | None = None
        self._imposed: Ending | None = None
        self._is_concluded = False

    def interrupt(self, ending: Ending) -> None:
        """Ends the request now, with this ending; does nothing once it has ended."""
        if self._is_concluded or self._imposed is not None:
            return
        self._imposed = ending
        if self._task is not None:
            self._task.cancel()

    def fail(self, failure: BaseException) -> None:
        """Ends the request now for what went wrong on the way to its caller."""
        self.interrupt(self._ending_of(failure))

    @property
    def claims(self) -> Claims:
        """The statements of the ticket that permits it."""
        return self._order.claims

    @property
    def filling(self) -> Filling:
        """What it fills of the KV cache, and what it is expected to fill further."""
        return filling_of(
            self.claims.predicted_kv_blocks,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            block_tokens=self._parts.engine.capabilities.kv_block_tokens,
        )

    @property
    def _has_caller_some(self) -> bool:
        """Whether the caller may have something of the answer, so that no other ticket serves any more."""
        return self._is_delta_sent

    def _check_not_interrupted(self) -> None:
        if self._imposed is not None:
            raise ComptoirError(self._imposed.reason)

    async def _worked(self, work: Awaitable[Got]) -> Got:
        """Returns what `work` comes to, within the longest time; a failure is concluded with its event.

        Raises ComptoirError, or CancelledError if the caller went.
        """
        self._task = asyncio.current_task()
        try:
            async with asyncio.timeout(self._parts.max_request_seconds):
                return await work
        except BaseException as failure:
            ending = self._ending_of(failure)
            self._conclude(ending)
            if self._imposed is None and not endings.needs_translation(failure):
                raise
            self._take_back_cancel(failure)
            raise ComptoirError(ending.reason) from None

    def _ending_of(self, failure: BaseException) -> Ending:
        now_seconds = self._parts.clock.monotonic_seconds()
        is_late = endings.is_past(self._order.deadline_seconds, now_seconds)
        return self._imposed or endings.ending_of(failure, is_late=is_late)

    def _conclude(self, ending: Ending) -> tuple[Counts, Timings, asyncio.Future[None]]:
        self._is_concluded = True
        order, parts = self._order, self._parts
        counts = self._counts_of(ending)
        now_seconds = parts.clock.monotonic_seconds()
        timings = self._timeline.close(now_seconds)
        parts.input_work.ended(self, now_seconds)
        event = TerminalEvent(
            event_id=Identity.dated(parts.clock.wall_microseconds()),
            claims=order.claims,
            ending=ending,
            counts=counts,
            timings=timings,
            actual_kv_blocks=kv_blocks_for(counts, parts.engine.capabilities.kv_block_tokens),
            started_at_microseconds=order.received_at_microseconds,
            is_streamed=order.is_streamed,
        )
        is_unserved = endings.leaves_next_ticket(ending, is_delta_sent=self._has_caller_some)
        parts.settlements.settle(order.claims, Counts() if is_unserved else counts, is_unserved=is_unserved)
        return counts, timings, parts.recorder.record(event)

    def _counts_of(self, ending: Ending) -> Counts:
        # Nobody pays for a request that was refused, though its prompt may have been counted to know it.
        if ending.outcome is Outcome.REFUSED and not self._is_delta_sent:
            return Counts(0, 0, 0)
        return Counts(
            self._input_tokens,
            self._cached_input_tokens,
            self._output_tokens,
            self._reasoning_tokens,
            self._longest_choice_tokens,
        )

    @property
    def _reasoning_tokens(self) -> int:
        return 0

    @property
    def _longest_choice_tokens(self) -> int:
        return 0

    def _take_back_cancel(self, failure: BaseException) -> None:
        # The cancellation was ours, so the task goes on and tells the caller why.
        if isinstance(failure, asyncio.CancelledError) and self._task is not None:
            self._task.uncancel()
