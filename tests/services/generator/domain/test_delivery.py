"""A caller that is slower than the engine, hangs or leaves."""

import asyncio
import gc
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.delivery import Outbox, deliver
from services.generator.domain.delta import Delta, ToolCallPart
from services.generator.domain.generation import Finished, Message, Started
from services.generator.domain.ports import EngineFailedError
from services.generator.domain.terminal_event import Outcome
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.domain.scripted_engine import STEPS, ScriptedEngine, World

TEXTS = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 3), st.integers(0, 1)), max_size=12)


async def drained(outbox: Outbox[Message]) -> list[Message]:
    outbox.close()
    messages = []
    while (message := await outbox.take()) is not None:
        messages.append(message)
    return messages


@given(TEXTS)
def test_deltas_that_wait_together_lose_nothing_of_any_choice(told: list[tuple[str, int, int]]) -> None:
    outbox: Outbox[Message] = Outbox()
    for text, tokens, index in told:
        outbox.put(Delta(text, tokens, index=index))
    deltas = [message for message in asyncio.run(drained(outbox)) if isinstance(message, Delta)]
    for index in (0, 1):
        assert "".join(delta.text for delta in deltas if delta.index == index) == "".join(
            text for text, _, of in told if of == index
        )
    assert sum(delta.output_tokens for delta in deltas) == sum(tokens for _, tokens, _ in told)
    assert all(one.index != other.index for one, other in pairwise(deltas))


async def test_pieces_of_tool_calls_stay_apart() -> None:
    outbox: Outbox[Message] = Outbox()
    pieces = [Delta(tool_call=ToolCallPart(0, arguments=text)) for text in ("{", "}")]
    for piece in pieces:
        outbox.put(piece)
    assert await drained(outbox) == pieces


async def test_a_slow_caller_gets_fewer_deltas_and_the_whole_answer() -> None:
    world = World(ScriptedEngine())

    async def send(message: Message) -> None:
        if isinstance(message, Started):
            async with asyncio.timeout(5):
                while not world.is_concluded:  # noqa: ASYNC110 - the engine's moments are turns of the loop
                    await asyncio.sleep(0)
        world.sent.append(message)

    await deliver(world.generation, send, max_seconds=60.0)
    started, delta, finished = world.sent
    assert isinstance(started, Started)
    assert isinstance(delta, Delta)
    assert (delta.text, delta.output_tokens) == ("é" * (STEPS - 1), STEPS)
    assert isinstance(finished, Finished)
    assert await world.check_ended() is Outcome.STOP


async def test_what_was_generated_before_a_failure_is_sent_before_it_is_told() -> None:
    world = World(ScriptedEngine(failure_at=STEPS + 1, failure=EngineFailedError()))

    async def send(message: Message) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        world.sent.append(message)

    with pytest.raises(ComptoirError) as error:
        await deliver(world.generation, send, max_seconds=60.0)
    assert error.value.reason is Reason.ENGINE_FAILED
    assert sum(message.output_tokens for message in world.sent if isinstance(message, Delta)) == STEPS - 1


@pytest.mark.parametrize(
    ("engine", "reason", "outcome"),
    [
        (ScriptedEngine(), Reason.DEADLINE_EXCEEDED, Outcome.STOP),
        (
            ScriptedEngine(failure_at=3, failure=EngineFailedError()),
            Reason.ENGINE_FAILED,
            Outcome.ENGINE_FAILED,
        ),
    ],
)
async def test_a_caller_that_takes_nothing_is_not_waited_for_after_the_end(
    engine: ScriptedEngine, reason: Reason, outcome: Outcome
) -> None:
    world = World(engine)

    async def send(_message: Message) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5):
        with pytest.raises(ComptoirError) as error:
            await deliver(world.generation, send, max_seconds=0.1)
    assert error.value.reason is reason
    assert await world.check_ended() is outcome


async def test_a_defect_on_the_way_to_the_caller_ends_the_request_and_stays_visible() -> None:
    world = World(ScriptedEngine(stands_at=3))

    async def send(message: Message) -> None:
        if isinstance(message, Delta):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await deliver(world.generation, send, max_seconds=60.0)
    assert await world.check_ended() is Outcome.ENGINE_FAILED
    assert world.engine.aborted == 1


async def test_asyncio_has_nothing_to_report_of_a_caller_that_went() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    world = World(ScriptedEngine(stands_at=3))
    serving = asyncio.create_task(world.serve())
    async with asyncio.timeout(5):
        while world.engine.moment < 3:  # noqa: ASYNC110 - the engine's moments are turns of the loop
            await asyncio.sleep(0)
    serving.cancel()
    await asyncio.wait({serving})
    del serving
    assert await world.check_ended() is Outcome.CLIENT_CANCELLED
    del world
    gc.collect()
    assert reported == []
