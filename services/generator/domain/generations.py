"""The generations of one process: who gets in, who is open, and how they all end."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from services.generator.domain.accepted import AcceptedRequest, SharedParts
from services.generator.domain.delivery import Send, deliver
from services.generator.domain.embedding import Embedding, EmbedMessage, EmbedOrder
from services.generator.domain.endings import DRAINED, ENGINE_LOST
from services.generator.domain.generation import Generation, Message, Order, Put
from services.generator.domain.kv_growth import most_growth
from services.generator.domain.load import LoadReport, LoadTotals, free_blocks, permille, waiting
from services.generator.domain.pace import OutputWork
from services.generator.domain.ports import Feature, Sleep
from services.generator.domain.terminal_event import Counts, Ending
from services.generator.domain.ticket import Claims, TicketGate
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity

_POLL_SECONDS: Final = 0.05


class Generations:
    """Takes orders until it drains; at most `max_requests` are open at once."""

    def __init__(
        self,
        parts: SharedParts,
        gate: TicketGate,
        *,
        max_requests: int,
        load_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts = parts
        self._load_changed = load_changed
        self._gate = gate
        self.max_requests = max_requests
        self._open: set[AcceptedRequest[Any]] = set()
        self._busy_since_seconds = 0.0
        self._is_draining = self._is_held_back = False
        self._output_work = OutputWork()
        self._is_engine_lost = False

    def check(self, claims: Claims) -> None:
        """Raises why this replica cannot act on a ticket now; uses nothing up."""
        self._gate.check(claims, self._parts.clock.wall_microseconds())

    def check_embedding(self, claims: Claims) -> None:
        """As `check`, of a ticket that permits to embed."""
        self._gate.check_embedding(claims, self._parts.clock.wall_microseconds())

    def admit(self, claims: Claims) -> None:
        """Uses up a ticket whose signature is valid and tells the router so, or raises why not.

        What was admitted must be served: its end settles the ticket. What this replica has no
        room for records nothing; the ticket is used up all the same, so that the router can
        give its reservation back, and the caller's next ticket may do better.
        """
        self._admit(claims, self._gate.check)

    def admit_embedding(self, claims: Claims) -> None:
        """As `admit`, of a ticket that permits to embed."""
        self._admit(claims, self._gate.check_embedding)

    def _admit(self, claims: Claims, check: Callable[[Claims, int], None]) -> None:
        now_microseconds = self._parts.clock.wall_microseconds()
        check(claims, now_microseconds)
        self._gate.use(claims, now_microseconds)
        refusal = self._refusal()
        if refusal is not None:
            self._parts.settlements.settle(claims, Counts(), is_unserved=True)
            raise ComptoirError(refusal)
        self._parts.settlements.accept(claims)

    def call_back(self, lease_id: Identity) -> bool:
        """Has the tickets of a lease refused from now on; False where one was accepted here."""
        if any(one.claims.lease_id == lease_id for one in self._open):
            return False
        return self._gate.call_back(lease_id, self._parts.clock.wall_microseconds())

    async def serve(self, order: Order, put: Put) -> None:
        """Serves an admitted order to its end; raises as Generation.serve does."""
        generation = Generation(order, self._parts)
        with self._opened(generation):
            await generation.serve(put)

    async def deliver(self, order: Order, send: Send[Message]) -> None:
        """Serves an admitted order to a caller that may be slow; raises as `deliver` does."""
        generation = Generation(order, self._parts)
        with self._opened(generation):
            await deliver(generation, send, max_seconds=self._parts.max_request_seconds)

    async def embed(self, order: EmbedOrder, send: Send[EmbedMessage]) -> None:
        """Serves an admitted order for vectors; raises as `deliver` does."""
        embedding = Embedding(order, self._parts)

        async def send_and_note(message: EmbedMessage) -> None:
            await send(message)
            embedding.sent(message)

        with self._opened(embedding):
            try:
                await deliver(embedding, send_and_note, max_seconds=self._parts.max_request_seconds)
            finally:
                embedding.close()

    @contextmanager
    def _opened(self, request: AcceptedRequest[Any]) -> Iterator[None]:
        if not self._open:
            self._busy_since_seconds = self._parts.clock.monotonic_seconds()
        self._open.add(request)
        self._load_changed()
        try:
            yield
        finally:
            self._open.discard(request)
            self._load_changed()

    def __len__(self) -> int:
        """Returns how many requests are open."""
        return len(self._open)

    def load(self) -> LoadReport:
        """Returns how busy the process and its engine are."""
        engine, unfinished = self._parts.engine.load(), self._parts.engine.unfinished_requests()
        work, capabilities = self._parts.input_work, self._parts.engine.capabilities
        # What vectors are made of is not counted there: unknown, and not none.
        is_counted = Feature.EMBEDDING not in capabilities.features
        now_seconds = self._parts.clock.monotonic_seconds()
        return LoadReport(
            open_streams=len(self._open),
            unfinished_requests=unfinished,
            running_requests=engine.running_requests,
            waiting_requests=waiting(engine.waiting_requests, engine.running_requests, unfinished),
            kv_usage_permille=permille(engine.kv_usage),
            age_seconds=self._age_seconds(engine.age_seconds) if unfinished else 0.0,
            is_draining=self._is_draining or self._is_held_back,
            kv_free_blocks=free_blocks(capabilities.kv_blocks, engine.kv_usage),
            waiting_input_tokens=work.waiting_tokens if is_counted else None,
            input_tokens_per_second=work.tokens_per_second(now_seconds),
            output_tokens_per_second=self._output_work.read(
                engine.output_tokens_total, is_busy=bool(self._open), now_seconds=now_seconds
            ),
            first_tokens=self._parts.first_tokens.read(now_seconds) if is_counted else None,
            kv_growth_blocks=self._growth_blocks() if is_counted else None,
        )

    def _growth_blocks(self) -> int | None:
        if not self._parts.engine.capabilities.kv_block_tokens:
            return None
        return most_growth(request.filling for request in self._open)

    def prefill_seconds(self) -> float | None:
        """Returns what the prompts that wait take at most at the engine's recent pace; None where unknown.

        Nothing of them may be cached, whatever was of those before them.
        """
        work = self._parts.input_work
        pace = work.tokens_per_second(self._parts.clock.monotonic_seconds())
        return None if pace is None else work.whole_tokens / pace

    def _age_seconds(self, engine_age_seconds: float) -> float:
        # An engine without requests makes no step: it is silent since the first of those that are open.
        busy_seconds = self._parts.clock.monotonic_seconds() - self._busy_since_seconds
        return min(engine_age_seconds, busy_seconds)

    def totals(self) -> LoadTotals:
        """Returns what the engine has done so far."""
        engine = self._parts.engine.load()
        return LoadTotals(engine.output_tokens_total, engine.preempted_requests_total or 0)

    def hold_back(self, *, is_wanted: bool) -> None:
        """Says in the load that it drains, so that routers send nothing new; takes the tickets that come."""
        self._is_held_back = is_wanted
        self._load_changed()

    def close_gate(self) -> None:
        """Refuses new orders from now on, as REPLICA_DRAINING."""
        self._is_draining = True
        self._load_changed()

    async def drain(self, bound_seconds: float, *, sleep: Sleep = asyncio.sleep) -> None:
        """Lets open generations end by themselves; those that have not by the bound are shed."""
        self.close_gate()
        await self._until_empty(bound_seconds, sleep)
        await self.end_all(DRAINED, sleep=sleep)

    async def lose_engine(self, *, sleep: Sleep = asyncio.sleep) -> None:
        """Ends every open generation because the engine is dead or hangs."""
        self._is_engine_lost = True
        await self.end_all(ENGINE_LOST, sleep=sleep)

    async def end_all(self, ending: Ending, *, sleep: Sleep = asyncio.sleep) -> None:
        """Interrupts every open request and waits a moment until each has concluded."""
        for request in tuple(self._open):
            request.interrupt(ending)
        await self._until_empty(1.0, sleep)

    def _refusal(self) -> Reason | None:
        if self._is_draining:
            return Reason.REPLICA_DRAINING
        if self._is_engine_lost:
            return Reason.ENGINE_FAILED
        if len(self._open) >= self.max_requests:
            return Reason.REPLICA_OVERLOADED
        return Reason.USAGE_NOT_RECORDED if self._parts.recorder.is_full else None

    async def _until_empty(self, bound_seconds: float, sleep: Sleep) -> None:
        clock = self._parts.clock
        end_seconds = clock.monotonic_seconds() + bound_seconds
        while self._open and clock.monotonic_seconds() < end_seconds:
            await sleep(_POLL_SECONDS)
