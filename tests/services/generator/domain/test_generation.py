"""Whatever happens to a generation, in whatever phase, it ends in one event and leaves the engine idle."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.delivery import deliver
from services.generator.domain.delta import Delta, EngineFinish, Measures, ToolCallPart
from services.generator.domain.endings import DRAINED, ENGINE_LOST
from services.generator.domain.generation import Finished, Generation, Message, Order, SharedParts, Started
from services.generator.domain.ports import (
    CallerGoneError,
    Capabilities,
    EngineFailedError,
    EngineLoad,
    EngineRequest,
    Feature,
    Receive,
    RequestFailedError,
)
from services.generator.domain.prompt import Chat, ChatTurn, Role, TokenIds
from services.generator.domain.queueing import QueueOrder
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.sampling import Sampling
from services.generator.domain.terminal_event import Counts, Outcome
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.domain.test_ticket import CLAIMS
from tests.services.generator.running import RememberingLink, RememberingSink

STEPS = 4
EVERYTHING = Feature.TOKEN_IDS | Feature.PREFIX_SALT | Feature.PRIORITY


@dataclass
class ScriptedEngine:
    """Counts the prompt at moment 0, takes the request in at 1, and gives a token at each of the others.

    At `failure_at` it fails; at `stands_at` it stands still until the request is aborted.
    """

    failure_at: int = -1
    failure: Exception | None = None
    stands_at: int = -1
    finish: EngineFinish = EngineFinish.STOP
    features: Feature = EVERYTHING
    deltas: Sequence[Delta] = ()
    aborted: int = 0
    requests: list[EngineRequest] = field(default_factory=list)
    age_seconds: float = 0.0
    running_requests: int | None = None
    moment: int = -1
    _work: asyncio.Task[None] | None = None
    _receive: Receive | None = None

    @property
    def open_requests(self) -> int:
        return 0 if self._receive is None else 1

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(64, 16, 100, self.features)

    async def tokenize(self, turns: Sequence[ChatTurn]) -> Sequence[int]:
        await self._reach(0)
        return [1, 2, 3]

    async def submit(self, request: EngineRequest, receive: Receive) -> None:
        self.requests.append(request)
        self._receive = receive
        try:
            await self._reach(1)
        except Exception:
            self._receive = None
            raise
        self._work = asyncio.create_task(self._generate(receive))

    async def abort(self, request_id: str) -> None:
        self.aborted += 1
        if self._work is not None:
            self._work.cancel()
        self._end(Delta(finish=EngineFinish.ABORT))

    def load(self) -> EngineLoad:
        running = self.open_requests if self.running_requests is None else self.running_requests
        return EngineLoad(running, 0, 0.0, self.age_seconds, 0, 0)

    def unfinished_requests(self) -> int:
        return self.open_requests

    async def _generate(self, receive: Receive) -> None:
        deltas = self.deltas or [Delta("" if number == 1 else "é", 1) for number in range(STEPS)]
        try:
            for number, delta in enumerate(deltas, start=2):
                await self._reach(number)
                if number < len(deltas) + 1:
                    receive(delta)
            delta.finish = self.finish
            self._end(delta)
        except (EngineFailedError, RequestFailedError) as failure:
            self._end(failure)

    def _end(self, news: Delta | EngineFailedError | RequestFailedError) -> None:
        receive, self._receive = self._receive, None
        if receive is not None:
            receive(news)

    async def _reach(self, moment: int) -> None:
        await asyncio.sleep(0)
        self.moment = moment
        if moment == self.stands_at:
            await asyncio.Event().wait()
        if moment == self.failure_at and self.failure is not None:
            raise self.failure


class World:
    """One generation and everything around it."""

    def __init__(self, engine: ScriptedEngine, *, deadline_seconds: float | None = None) -> None:
        self.engine, self.sink, self.link = engine, RememberingSink(), RememberingLink()
        self.clock = ManualClock()
        self.recorder = UsageRecorder(self.sink, max_unrecorded=10)
        self.parts = SharedParts(engine, self.recorder, self.link, self.clock, b"s" * 32, 60.0, 64)  # type: ignore[arg-type]
        self.order = Order(
            claims=CLAIMS,
            turns=(ChatTurn(Role.USER, "x"),),
            sampling=Sampling(),
            is_streamed=True,
            received_seconds=self.clock.monotonic_seconds(),
            received_at_microseconds=self.clock.wall_microseconds(),
            deadline_seconds=deadline_seconds,
        )
        self.generation = Generation(self.order, self.parts)
        self.sent: list[Message] = []
        self.sends_until_gone = -1
        self.was_concluded_when_gone: bool | None = None

    async def send(self, message: Message) -> None:
        await asyncio.sleep(0)
        self.clock.advance(0.001)
        if len(self.sent) == self.sends_until_gone:
            self.was_concluded_when_gone = self.is_concluded
            raise CallerGoneError
        self.sent.append(message)

    @property
    def is_concluded(self) -> bool:
        """Whether it is settled how the generation ended."""
        return bool(self.link.settled_leases or self.link.unserved_leases)

    async def serve(self) -> BaseException | None:
        try:
            await deliver(self.generation, self.send, max_seconds=60.0)
        except (ComptoirError, asyncio.CancelledError, ZeroDivisionError) as error:
            return error
        return None

    async def check_ended(self) -> Outcome:
        assert await self.recorder.settled(1.0) == 0
        assert self.engine.open_requests == 0
        (event,) = self.sink.events
        assert len(self.link.settled_leases) + len(self.link.unserved_leases) == 1
        delivered = sum(m.output_tokens for m in self.sent if isinstance(m, Delta))
        assert delivered <= event.counts.output_tokens <= STEPS
        if any(isinstance(message, Finished) for message in self.sent):
            assert event.ending.outcome in (Outcome.STOP, Outcome.LENGTH)
            assert delivered == event.counts.output_tokens
        return event.ending.outcome


async def test_an_answer_counts_the_tokens_of_empty_deltas_into_the_next() -> None:
    world = World(ScriptedEngine())
    put: list[Message] = []
    await world.generation.serve(put.append)
    deltas = [message.output_tokens for message in put if isinstance(message, Delta)]
    assert deltas == [1, 2, 1]
    assert await world.check_ended() is Outcome.STOP
    assert world.engine.aborted == 0


async def test_all_that_an_engine_says_of_a_choice_reaches_the_caller() -> None:
    call = ToolCallPart(index=0, call_id="a", name="weather")
    told = [Delta(reasoning="r", output_tokens=1), Delta(tool_call=call, output_tokens=1, index=1)]
    world = World(ScriptedEngine(deltas=told))
    assert await world.serve() is None
    assert [message for message in world.sent if isinstance(message, Delta)] == told


async def test_what_the_engine_measures_is_in_the_event() -> None:
    measures = Measures(cached_input_tokens=2, queue_seconds=0.25, prefill_seconds=0.5)
    world = World(ScriptedEngine(deltas=[Delta("a", 1, measures=measures), Delta("b", 1)]))
    assert await world.serve() is None
    await world.check_ended()
    (event,) = world.sink.events
    assert event.counts == Counts(3, 2, 2)
    timings = event.timings
    assert (timings.queue_microseconds, timings.prefill_microseconds) == (250_000, 500_000)


async def test_an_engine_that_tokenizes_by_itself_gets_the_turns_and_says_later_what_it_counted() -> None:
    deltas = [Delta("a", 1), Delta("b", 1, measures=Measures(input_tokens=7))]
    world = World(ScriptedEngine(features=Feature(0), deltas=deltas))
    assert await world.serve() is None
    await world.check_ended()
    (request,) = world.engine.requests
    assert request.prompt == Chat(world.order.turns)
    assert (request.priority, request.cache_salt) == (None, None)
    assert world.sent[0] == Started(CLAIMS.request_id, 0)
    assert world.sink.events[0].counts == Counts(7, 0, 2)


async def test_an_engine_gets_all_that_it_has_a_use_for() -> None:
    world = World(ScriptedEngine())
    arrived_seconds = world.clock.monotonic_seconds()
    world.clock.advance(3.0)
    assert await world.serve() is None
    (request,) = world.engine.requests
    assert request.prompt == TokenIds([1, 2, 3])
    assert request.priority == QueueOrder().number(CLAIMS.priority, arrived_seconds)
    assert request.cache_salt is not None


@pytest.mark.parametrize("moment", range(STEPS + 2))
@pytest.mark.parametrize("failure", [EngineFailedError(), RequestFailedError()])
async def test_a_failure_of_the_engine_at_any_moment_is_one_event_and_one_reason(
    moment: int, failure: Exception
) -> None:
    world = World(ScriptedEngine(failure_at=moment, failure=failure))
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert error.reason is Reason.ENGINE_FAILED
    assert await world.check_ended() is Outcome.ENGINE_FAILED


@pytest.mark.parametrize("moment", [0, 1])
async def test_a_refusal_by_the_engine_is_one_event_and_its_reason(moment: int) -> None:
    world = World(ScriptedEngine(failure_at=moment, failure=ComptoirError(Reason.REPLICA_OVERLOADED)))
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert error.reason is Reason.REPLICA_OVERLOADED
    assert await world.check_ended() is Outcome.REFUSED


async def test_a_defect_is_an_event_and_stays_visible() -> None:
    world = World(ScriptedEngine(failure_at=1, failure=ZeroDivisionError()))
    assert isinstance(await world.serve(), ZeroDivisionError)
    assert await world.check_ended() is Outcome.ENGINE_FAILED


async def test_a_defect_of_what_takes_the_deltas_ends_only_its_own_request() -> None:
    world = World(ScriptedEngine())

    def put(message: Message) -> None:
        if isinstance(message, Delta):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await world.generation.serve(put)
    assert await world.check_ended() is Outcome.ENGINE_FAILED
    assert world.engine.aborted == 1


async def test_an_abort_by_the_engine_is_no_answer() -> None:
    world = World(ScriptedEngine(finish=EngineFinish.ABORT))
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert await world.check_ended() is Outcome.ENGINE_FAILED


INTERRUPTIONS = {
    "cancel": Outcome.CLIENT_CANCELLED,
    "deadline": Outcome.DEADLINE,
    "drain": Outcome.SHED,
    "engine": Outcome.ENGINE_FAILED,
}


def world_for(kind: str, engine: ScriptedEngine) -> World:
    now = ManualClock().monotonic_seconds()
    return World(engine, deadline_seconds=now if kind == "deadline" else None)


def interrupt(world: World, serving: asyncio.Task[BaseException | None], kind: str) -> None:
    if kind in ("cancel", "deadline"):
        serving.cancel()
    else:
        world.generation.interrupt(DRAINED if kind == "drain" else ENGINE_LOST)


@pytest.mark.parametrize("kind", INTERRUPTIONS)
@pytest.mark.parametrize("moment", range(STEPS + 2))
async def test_an_interruption_while_the_engine_works_is_the_ending_in_every_phase(
    moment: int, kind: str
) -> None:
    world = world_for(kind, ScriptedEngine(stands_at=moment))
    serving = asyncio.create_task(world.serve())
    async with asyncio.timeout(5):
        while world.engine.moment < moment:  # noqa: ASYNC110 - the engine's moments are turns of the loop
            await asyncio.sleep(0)
        interrupt(world, serving, kind)
        await asyncio.wait({serving})
    assert await world.check_ended() is INTERRUPTIONS[kind]
    assert world.engine.aborted == (1 if moment else 0)
    assert world.sink.events[0].counts.output_tokens == max(0, moment - 2)


@pytest.mark.parametrize("kind", INTERRUPTIONS)
async def test_an_interruption_while_the_event_is_recorded_changes_nothing(kind: str) -> None:
    world = world_for(kind, ScriptedEngine())
    world.sink.gate.clear()
    serving = asyncio.create_task(world.serve())
    async with asyncio.timeout(5):
        while not world.is_concluded:  # noqa: ASYNC110 - the engine's moments are turns of the loop
            await asyncio.sleep(0)
        interrupt(world, serving, kind)
        world.sink.gate.set()
        await asyncio.wait({serving})
    assert await world.check_ended() is Outcome.STOP


@pytest.mark.parametrize("kind", INTERRUPTIONS)
async def test_a_generation_that_is_interrupted_before_it_begins_ends_too(kind: str) -> None:
    world = world_for(kind, ScriptedEngine())
    serving = asyncio.create_task(world.serve())
    if kind in ("cancel", "deadline"):
        await asyncio.sleep(0)
    interrupt(world, serving, kind)
    await asyncio.wait({serving})
    assert await world.check_ended() is INTERRUPTIONS[kind]
    assert world.engine.moment == -1


@given(ticks=st.integers(0, 40), kind=st.sampled_from([*INTERRUPTIONS, "gone"]), gone_after=st.integers(0, 5))
def test_an_interruption_at_any_moment_leaves_one_event_and_an_idle_engine(
    ticks: int, kind: str, gone_after: int
) -> None:
    asyncio.run(interrupted(ticks, kind, gone_after))


async def interrupted(ticks: int, kind: str, gone_after: int) -> None:
    world = world_for(kind, ScriptedEngine())
    if kind == "gone":
        world.sends_until_gone = gone_after
    serving = asyncio.create_task(world.serve())
    for _ in range(ticks):
        await asyncio.sleep(0)
    was_concluded = world.is_concluded
    if kind != "gone":
        interrupt(world, serving, kind)
    await asyncio.wait({serving})
    if not ticks and kind in ("cancel", "deadline"):
        assert not world.sink.events  # cancelled before it began: grpc never called the handler
        return
    outcome = await world.check_ended()
    if kind == "gone":
        is_cut = world.was_concluded_when_gone is False
        assert outcome is (Outcome.CLIENT_CANCELLED if is_cut else Outcome.STOP)
    else:
        assert outcome is (Outcome.STOP if was_concluded else INTERRUPTIONS[kind])
