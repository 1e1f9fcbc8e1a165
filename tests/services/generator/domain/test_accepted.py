"""What is the same of every accepted request: one task, one ending, one event."""

import asyncio

from services.generator.domain.endings import DRAINED, ENGINE_LOST
from services.generator.domain.terminal_event import Outcome
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.domain.scripted_engine import ScriptedEngine, World


async def test_the_first_of_two_interruptions_is_the_ending() -> None:
    world = World(ScriptedEngine(stands_at=1))
    serving = asyncio.create_task(world.serve())
    async with asyncio.timeout(5):
        while world.engine.moment < 1:  # noqa: ASYNC110 - the engine's moments are turns of the loop
            await asyncio.sleep(0)
        world.generation.interrupt(DRAINED)
        world.generation.interrupt(ENGINE_LOST)
        error = await serving
    assert isinstance(error, ComptoirError)
    assert error.reason is Reason.REPLICA_DRAINING
    assert await world.check_ended() is Outcome.SHED


async def test_what_is_interrupted_before_it_begins_has_its_event_too() -> None:
    world = World(ScriptedEngine())
    world.generation.interrupt(DRAINED)
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert error.reason is Reason.REPLICA_DRAINING
    await world.recorder.settled(1.0)
    assert len(world.sink.events) == 1


async def test_what_has_ended_is_not_interrupted() -> None:
    world = World(ScriptedEngine())
    assert await world.serve() is None
    world.generation.interrupt(DRAINED)
    assert await world.check_ended() is Outcome.STOP
