"""A generation that is cancelled, late or drained, in whatever phase, ends in one event."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.delta import Delta, Measures
from services.generator.domain.endings import DRAINED, ENGINE_LOST
from services.generator.domain.generation import Generation
from services.generator.domain.terminal_event import Outcome
from services.kernel.clock import ManualClock
from tests.services.generator.domain.scripted_engine import STEPS, ScriptedEngine, World

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


class Standing:
    """A generation whose engine has its first token after 0.1 s, which its process sees seconds later."""

    def __init__(self, seconds: float) -> None:
        deltas = [Delta("é", 1, measures=Measures(prefill_seconds=0.1)), Delta("é", 1)]
        self.world = World(ScriptedEngine(deltas=deltas))
        self.waits: list[float] = []
        self.goes_on = asyncio.Event()
        self.world.generation = Generation(self.world.order, replace(self.world.parts, sleep=self.sleep))
        self.world.clock.advance(seconds)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await self.goes_on.wait()


async def test_who_left_while_the_process_stood_still_is_not_answered_by_it() -> None:
    standing = Standing(10.0)
    serving = asyncio.create_task(standing.world.serve())
    async with asyncio.timeout(5):
        while not standing.waits:  # noqa: ASYNC110 - the engine's moments are turns of the loop
            await asyncio.sleep(0)
        serving.cancel()
        await asyncio.wait({serving})
    assert await standing.world.check_ended() is Outcome.CLIENT_CANCELLED
    assert standing.world.sink.events[0].counts.output_tokens == 2
    assert standing.world.engine.aborted == 0


@pytest.mark.parametrize(("seconds", "waits"), [(10.0, 1), (0.5, 0)])
async def test_who_stayed_is_answered_and_waits_only_where_the_process_stood_still(
    seconds: float, waits: int
) -> None:
    standing = Standing(seconds)
    standing.goes_on.set()
    async with asyncio.timeout(5):
        assert await standing.world.serve() is None
    assert await standing.world.check_ended() is Outcome.STOP
    assert len(standing.waits) == waits


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
