"""Whatever happens to a generation, in whatever phase, it ends in one event and leaves the engine idle."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.endings import DRAINED, ENGINE_LOST
from services.generator.domain.generation import (
    Delta,
    Finished,
    Generation,
    Order,
    Started,
    Surroundings,
)
from services.generator.domain.ports import (
    CallerGoneError,
    Capabilities,
    ChatTurn,
    EngineFailedError,
    EngineFinish,
    EngineLoad,
    EngineRequest,
    RequestFailedError,
    Role,
    Step,
)
from services.generator.domain.queueing import QueueOrder
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.sampling import Sampling
from services.generator.domain.terminal_event import Outcome
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.domain.test_ticket import CLAIMS
from tests.services.generator.running import RememberingLink, RememberingSink

STEPS = 4


@dataclass
class ScriptedEngine:
    """Gives STEPS tokens and does what the script says at each of its moments."""

    failure_at: int = -1
    failure: Exception | None = None
    finish: EngineFinish = EngineFinish.STOP
    open_requests: int = 0
    aborted: int = 0
    told_priority: int = -1
    age_seconds: float = 0.0
    running_requests: int | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(64, 16, 100)

    async def tokenize_chat(self, turns: Sequence[ChatTurn]) -> Sequence[int]:
        await self._moment(0)
        return [1, 2, 3]

    async def generate(self, request: EngineRequest) -> AsyncGenerator[Step, None]:
        self.open_requests += 1
        self.told_priority = request.priority
        try:
            for number in range(1, STEPS + 1):
                await self._moment(number)
                yield Step("" if number == 2 else "é", 1, self.finish if number == STEPS else None)
        finally:
            self.open_requests -= 1

    async def abort(self, request_id: str) -> None:
        self.aborted += 1

    def load(self) -> EngineLoad:
        running = self.open_requests if self.running_requests is None else self.running_requests
        return EngineLoad(running, 0, 0.0, self.age_seconds, 0, 0)

    def unfinished_requests(self) -> int:
        return self.open_requests

    async def _moment(self, number: int) -> None:
        await asyncio.sleep(0)
        if number == self.failure_at and self.failure is not None:
            raise self.failure


class World:
    """One generation and everything around it."""

    def __init__(self, engine: ScriptedEngine, *, deadline_seconds: float | None = None) -> None:
        self.engine, self.sink, self.link = engine, RememberingSink(), RememberingLink()
        self.clock = ManualClock()
        recorder = UsageRecorder(self.sink, max_unrecorded=10)
        around = Surroundings(engine, recorder, self.link, self.clock, b"s" * 32, 60.0, 64)  # type: ignore[arg-type]
        self.recorder = recorder
        order = Order(
            claims=CLAIMS,
            turns=(ChatTurn(Role.USER, "x"),),
            sampling=Sampling(),
            is_streamed=True,
            received_seconds=self.clock.monotonic_seconds(),
            received_at_microseconds=self.clock.wall_microseconds(),
            deadline_seconds=deadline_seconds,
        )
        self.generation = Generation(order, around)
        self.sent: list[Started | Delta | Finished] = []
        self.sends_until_gone = -1

    async def send(self, message: Started | Delta | Finished) -> None:
        await asyncio.sleep(0)
        self.clock.advance(0.001)
        if len(self.sent) == self.sends_until_gone:
            raise CallerGoneError
        self.sent.append(message)

    async def serve(self) -> BaseException | None:
        try:
            await self.generation.serve(self.send)
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
        has_finished = any(isinstance(message, Finished) for message in self.sent)
        if has_finished:
            assert event.ending.outcome in (Outcome.STOP, Outcome.LENGTH)
            assert delivered == event.counts.output_tokens
        return event.ending.outcome


async def test_an_answer_counts_the_tokens_of_empty_steps_into_the_next_delta() -> None:
    world = World(ScriptedEngine())
    assert await world.serve() is None
    deltas = [message.output_tokens for message in world.sent if isinstance(message, Delta)]
    assert deltas == [1, 2, 1]
    assert await world.check_ended() is Outcome.STOP
    assert world.engine.aborted == 0


@pytest.mark.parametrize("moment", range(STEPS + 1))
@pytest.mark.parametrize(
    ("failure", "outcome", "told"),
    [
        (EngineFailedError(), Outcome.ENGINE_FAILED, Reason.ENGINE_FAILED),
        (RequestFailedError(), Outcome.ENGINE_FAILED, Reason.ENGINE_FAILED),
        (ComptoirError(Reason.REPLICA_OVERLOADED), Outcome.REFUSED, Reason.REPLICA_OVERLOADED),
    ],
)
async def test_a_failure_at_any_moment_is_one_event_and_one_reason(
    moment: int, failure: Exception, outcome: Outcome, told: Reason
) -> None:
    world = World(ScriptedEngine(failure_at=moment, failure=failure))
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert error.reason is told
    assert await world.check_ended() is outcome


async def test_a_defect_is_an_event_and_stays_visible() -> None:
    world = World(ScriptedEngine(failure_at=2, failure=ZeroDivisionError()))
    assert isinstance(await world.serve(), ZeroDivisionError)
    assert await world.check_ended() is Outcome.ENGINE_FAILED


async def test_an_abort_by_the_engine_is_no_answer() -> None:
    world = World(ScriptedEngine(finish=EngineFinish.ABORT))
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert await world.check_ended() is Outcome.ENGINE_FAILED


async def test_a_generation_that_is_interrupted_before_it_begins_ends_too() -> None:
    world = World(ScriptedEngine())
    world.generation.interrupt(DRAINED)
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert error.reason is Reason.REPLICA_DRAINING
    assert await world.check_ended() is Outcome.SHED


@given(
    ticks=st.integers(0, 40),
    kind=st.sampled_from(["cancel", "deadline", "drain", "engine", "gone"]),
    gone_after=st.integers(0, 5),
)
def test_an_interruption_at_any_moment_leaves_one_event_and_an_idle_engine(
    ticks: int, kind: str, gone_after: int
) -> None:
    asyncio.run(interrupted(ticks, kind, gone_after))


async def interrupted(ticks: int, kind: str, gone_after: int) -> None:
    now = ManualClock().monotonic_seconds()
    world = World(ScriptedEngine(), deadline_seconds=now if kind == "deadline" else None)
    if kind == "gone":
        world.sends_until_gone = gone_after
    serving = asyncio.create_task(world.serve())
    for _ in range(ticks):
        await asyncio.sleep(0)
    if kind in ("cancel", "deadline"):
        serving.cancel()
    elif kind != "gone":
        world.generation.interrupt(DRAINED if kind == "drain" else ENGINE_LOST)
    await asyncio.wait({serving})
    if not world.sink.events and serving.cancelled():
        return  # cancelled before it began: grpc never called the handler
    outcome = await world.check_ended()
    ended_by_itself = Outcome.STOP
    expected = {
        "cancel": Outcome.CLIENT_CANCELLED,
        "deadline": Outcome.DEADLINE,
        "drain": Outcome.SHED,
        "engine": Outcome.ENGINE_FAILED,
        "gone": Outcome.CLIENT_CANCELLED,
    }[kind]
    assert outcome in (expected, ended_by_itself)


async def test_the_engine_is_told_class_and_arrival_in_one_number() -> None:
    world = World(ScriptedEngine())
    arrived_seconds = world.clock.monotonic_seconds()
    world.clock.advance(3.0)
    assert await world.serve() is None
    assert world.engine.told_priority == QueueOrder().number(CLAIMS.priority, arrived_seconds)
