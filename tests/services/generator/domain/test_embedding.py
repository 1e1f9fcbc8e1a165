"""A request for vectors: what is refused before it is computed, how much is computed at once, one event."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.simulated.embedding import SimulatedEmbeddingEngine
from services.generator.domain.accepted import SharedParts
from services.generator.domain.embedding import (
    INPUTS_AT_ONCE,
    TOKENS_AT_ONCE,
    Embedded,
    Embedding,
    EmbedMessage,
    EmbedOrder,
    Vectors,
)
from services.generator.domain.endings import DRAINED, ENGINE_LOST
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.generation import Started
from services.generator.domain.ports import Capabilities, Engine, EngineFailedError, VectorRequest
from services.generator.domain.prompt import Text, TokenIds
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.terminal_event import Counts, Outcome
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Numbers, Reason
from tests.contracts.engine_requests import until
from tests.services.generator.domain.scripted_engine import ScriptedEngine
from tests.services.generator.domain.test_ticket import CLAIMS
from tests.services.generator.running import RememberingLink, RememberingSink

CONTEXT = 64
PERMITS = replace(CLAIMS, max_input_tokens=100_000, max_output_tokens=0)


class Vectorizer(SimulatedEmbeddingEngine):
    """The simulated engine, which notes what it is asked for and may stand still or have other sizes."""

    def __init__(self, clock: ManualClock, sizes: Sequence[int] = (64, 32)) -> None:
        super().__init__(ServedModel(CONTEXT), SimulatedParameters(), clock, self._turn)
        self.sizes = sizes
        self.asked: list[VectorRequest] = []
        self.most_at_once = 0
        self.tokens_at_once = 0
        self.moves = asyncio.Event()
        self.moves.set()

    async def _turn(self, _seconds: float) -> None:
        await asyncio.sleep(0)
        await self.moves.wait()

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, vector_sizes=self.sizes)

    async def embed(self, request: VectorRequest) -> bytes:
        self.asked.append(request)
        held = [*self._running, *(job for _, _, job in self._waiting)]
        self.most_at_once = max(self.most_at_once, len(held) + 1)
        tokens = sum(len(job.request.ids) for job in held) + len(request.ids)
        self.tokens_at_once = max(self.tokens_at_once, tokens)
        return await super().embed(request)


class World:
    """One request for vectors and everything around it."""

    def __init__(self, *inputs: Text | TokenIds, engine: Engine | None = None, dimensions: int = 0) -> None:
        self.clock = ManualClock()
        self.engine = Vectorizer(self.clock)
        self.sink, self.link = RememberingSink(), RememberingLink()
        self.recorder = UsageRecorder(self.sink, max_unrecorded=10)
        served = engine or self.engine
        self.parts = SharedParts(served, self.recorder, self.link, self.clock, b"s" * 32, 60.0, 64)
        now_seconds = self.clock.monotonic_seconds()
        self.order = EmbedOrder(PERMITS, inputs, dimensions, now_seconds, 7, None)
        self.said: list[EmbedMessage] = []

    async def serve(self) -> ComptoirError | None:
        self.embedding = Embedding(self.order, self.parts)
        try:
            async with asyncio.timeout(10):
                await self.embedding.serve(self.said.append)
        except ComptoirError as error:
            return error
        return None

    async def ended(self) -> tuple[Outcome, Counts]:
        assert await self.recorder.settled(5.0) == 0
        assert self.engine.unfinished_requests() == 0
        (event,) = self.sink.events
        assert len(self.link.settled_leases) + len(self.link.unserved_leases) == 1
        assert event.timings.ttft_microseconds == 0
        return event.ending.outcome, event.counts


@given(lengths=st.lists(st.integers(1, CONTEXT), min_size=1, max_size=200))
async def test_every_input_has_its_vector_in_order_and_is_counted(lengths: list[int]) -> None:
    world = World(*(TokenIds((65 + index % 100,) * length) for index, length in enumerate(lengths)))
    assert await world.serve() is None
    started, *vectors, embedded = world.said
    assert isinstance(started, Started)
    assert isinstance(embedded, Embedded)
    assert started.input_tokens == embedded.counts.input_tokens == sum(lengths)
    values = b"".join(part.values for part in vectors if isinstance(part, Vectors))
    asked = tuple(world.engine.asked)
    assert values == b"".join([await world.engine.embed(each) for each in asked])
    assert [len(each.ids) for each in asked] == lengths
    assert await world.ended() == (Outcome.STOP, Counts(sum(lengths), 0, 0))
    assert [used[1:] for used in world.link.settled_leases] == [(sum(lengths), 0)]


async def test_the_engine_has_a_bounded_part_of_a_request_at_once() -> None:
    world = World(*(TokenIds((65,) * CONTEXT) for _ in range(3 * INPUTS_AT_ONCE)))
    assert await world.serve() is None
    assert world.engine.most_at_once <= INPUTS_AT_ONCE
    assert world.engine.tokens_at_once <= TOKENS_AT_ONCE
    ids = [asked.request_id for asked in world.engine.asked]
    assert len(set(ids)) == len(ids) == 3 * INPUTS_AT_ONCE


async def test_what_comes_meanwhile_goes_before_the_rest_of_a_large_request() -> None:
    world = World(*(TokenIds((65,)) for _ in range(2 * INPUTS_AT_ONCE)))
    assert await world.serve() is None
    first, last = world.engine.asked[0].priority, world.engine.asked[-1].priority
    assert first is not None
    assert last is not None
    world.clock.advance(1.0)
    assert last <= world.parts.queue.number(PERMITS.priority, world.clock.monotonic_seconds())


@pytest.mark.parametrize(
    ("each", "reason", "numbers"),
    [
        (TokenIds((65,) * (CONTEXT + 1)), Reason.CONTEXT_TOO_LONG, Numbers(CONTEXT, CONTEXT + 1)),
        (Text("é" * CONTEXT), Reason.CONTEXT_TOO_LONG, Numbers(CONTEXT, 2 * CONTEXT)),
        (Text("a" * (CONTEXT * 64 + 1)), Reason.CONTEXT_TOO_LONG, Numbers(CONTEXT, CONTEXT + 1)),
        (TokenIds((260,)), Reason.REQUEST_INVALID, Numbers()),
        (TokenIds(()), Reason.REQUEST_INVALID, Numbers()),
    ],
)
async def test_an_input_that_is_wrong_is_named_before_any_is_computed(
    each: Text | TokenIds, reason: Reason, numbers: Numbers
) -> None:
    world = World(Text("good"), each, Text("good"))
    error = await world.serve()
    assert error is not None
    assert (error.reason, error.field, error.numbers) == (reason, "inputs[1]", numbers)
    assert not world.engine.asked
    assert not world.said
    assert await world.ended() == (Outcome.REFUSED, Counts())


async def test_more_than_the_ticket_permits_is_not_computed() -> None:
    world = World(Text("abc"), Text("de"))
    world.order = replace(world.order, claims=replace(PERMITS, max_input_tokens=4))
    error = await world.serve()
    assert error is not None
    assert (error.reason, error.numbers) == (Reason.TICKET_LIMIT_EXCEEDED, Numbers(4, 5))
    assert not world.engine.asked


class Counted(Sequence[int]):
    """Ids of which only the length may be looked at."""

    def __init__(self, length: int) -> None:
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: object) -> int:  # type: ignore[override] # nobody gets one
        raise AssertionError(index)


@pytest.mark.parametrize(
    ("length", "permitted", "reason"),
    [(CONTEXT + 1, 1000, Reason.CONTEXT_TOO_LONG), (CONTEXT, CONTEXT, Reason.TICKET_LIMIT_EXCEEDED)],
)
async def test_ids_that_are_too_many_are_refused_by_their_length(
    length: int, permitted: int, reason: Reason
) -> None:
    world = World(TokenIds(Counted(1)), TokenIds(Counted(length)))
    world.order = replace(world.order, claims=replace(PERMITS, max_input_tokens=permitted))
    error = await world.serve()
    assert error is not None
    assert error.reason is reason


@pytest.mark.parametrize(
    ("sizes", "asked", "reason"),
    [
        ((64,), 32, Reason.PARAMETER_UNSUPPORTED),
        ((64, 32), 33, Reason.REQUEST_INVALID),
        ((64, 32), 65, Reason.REQUEST_INVALID),
        ((64,), 64, None),
        ((64, 32), 32, None),
        (range(64, 0, -1), 33, None),
    ],
)
async def test_a_vector_has_a_size_that_the_model_was_trained_for(
    sizes: Sequence[int], asked: int, reason: Reason | None
) -> None:
    world = World(Text("a"), dimensions=asked)
    world.engine.sizes = sizes
    error = await world.serve()
    assert (None if error is None else (error.reason, error.field)) == (reason and (reason, "dimensions"))
    if reason is None:
        assert [part.size for part in world.said if isinstance(part, Vectors)] == [asked]


async def test_more_bytes_of_vectors_than_anyone_holds_are_refused() -> None:
    world = World(Text("a"), Text("b"))
    world.engine.sizes = (4 * 1024 * 1024,)
    error = await world.serve()
    assert error is not None
    assert (error.reason, error.field, error.numbers) == (Reason.REQUEST_INVALID, "inputs", Numbers(1, 2))


async def test_an_engine_that_answers_makes_no_vectors() -> None:
    world = World(Text("a"), engine=ScriptedEngine())  # type: ignore[arg-type] # as much as is asked
    error = await world.serve()
    assert error is not None
    assert error.reason is Reason.MODEL_TASK_MISMATCH


async def test_no_vector_is_told_before_the_event_is_durable() -> None:
    world = World(Text("a"))
    world.sink.gate.clear()
    serving = asyncio.create_task(world.serve())
    await until(lambda: bool(world.link.settled_leases), 5)
    assert [type(message) for message in world.said] == [Started]
    world.sink.gate.set()
    assert await serving is None
    assert [type(message) for message in world.said] == [Started, Vectors, Embedded]


async def test_a_request_that_cannot_be_recorded_has_no_vectors() -> None:
    world = World(Text("a"))
    world.sink.failures = 1
    error = await world.serve()
    assert error is not None
    assert error.reason is Reason.USAGE_NOT_RECORDED
    assert [type(message) for message in world.said] == [Started]


@pytest.mark.parametrize("kind", ["cancel", "drain", "engine", "death"])
async def test_an_interruption_counts_what_the_engine_was_given(kind: str) -> None:
    world = World(*(TokenIds((65,) * CONTEXT) for _ in range(2 * INPUTS_AT_ONCE)))
    world.engine.moves.clear()
    serving = asyncio.create_task(world.serve())
    await until(lambda: world.engine.unfinished_requests() == INPUTS_AT_ONCE, 5)
    if kind == "cancel":
        serving.cancel()
    elif kind == "death":
        world.engine.die()
    else:
        world.embedding.interrupt(DRAINED if kind == "drain" else ENGINE_LOST)
    await asyncio.wait({serving}, timeout=5)
    world.engine.moves.set()
    outcome, counts = await world.ended()
    assert outcome is {
        "cancel": Outcome.CLIENT_CANCELLED,
        "drain": Outcome.SHED,
    }.get(kind, Outcome.ENGINE_FAILED)
    assert counts.input_tokens == INPUTS_AT_ONCE * CONTEXT
    assert len(world.engine.asked) == INPUTS_AT_ONCE
    if kind == "death":
        with pytest.raises(EngineFailedError):
            await world.engine.check_health()
