"""Whatever happens to a generation, in whatever phase, it ends in one event and leaves the engine idle."""

import pytest

from services.generator.domain.delta import Delta, EngineFinish, Measures, ToolCallPart
from services.generator.domain.generation import Message, Started
from services.generator.domain.ports import (
    EngineFailedError,
    Feature,
    RequestFailedError,
)
from services.generator.domain.prompt import TokenIds
from services.generator.domain.queueing import QueueOrder
from services.generator.domain.terminal_event import Counts, Outcome
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.domain.scripted_engine import STEPS, ScriptedEngine, World
from tests.services.generator.domain.test_ticket import CLAIMS


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


async def test_an_emoji_of_two_tokens_is_told_as_one_and_both_are_counted() -> None:
    world = World(ScriptedEngine(deltas=[Delta("Ça va 👍", 1), Delta("🏽", 1), Delta(" !", 1)]))
    assert await world.serve() is None
    told = [(message.text, message.output_tokens) for message in world.sent if isinstance(message, Delta)]
    assert told == [("Ça va ", 1), ("👍🏽 !", 2)]


async def test_what_the_engine_measures_is_in_the_event() -> None:
    measures = Measures(cached_input_tokens=2, queue_seconds=0.25, prefill_seconds=0.5)
    world = World(ScriptedEngine(deltas=[Delta("a", 1, measures=measures), Delta("b", 1)]))
    assert await world.serve() is None
    await world.check_ended()
    (event,) = world.sink.events
    assert event.counts == Counts(3, 2, 2, longest_choice_tokens=2)
    timings = event.timings
    assert (timings.queue_microseconds, timings.prefill_microseconds) == (250_000, 500_000)


async def test_choices_are_generated_side_by_side_and_the_event_says_how_long_the_longest_is() -> None:
    deltas = [Delta("a", 2), Delta("b", 1, index=1), Delta("c", 3, index=1), Delta("d", 1)]
    world = World(ScriptedEngine(deltas=deltas))
    assert await world.serve() is None
    (event,) = world.sink.events
    assert (event.counts.output_tokens, event.counts.longest_choice_tokens) == (7, 4)


async def test_an_engine_that_tokenizes_by_itself_gets_the_turns_and_says_later_what_it_counted() -> None:
    deltas = [Delta("a", 1), Delta("b", 1, measures=Measures(input_tokens=7))]
    world = World(ScriptedEngine(features=Feature(0), deltas=deltas))
    assert await world.serve() is None
    await world.check_ended()
    (request,) = world.engine.requests
    assert request.prompt == world.order.prompt
    assert (request.priority, request.cache_salt) == (None, None)
    assert world.sent[0] == Started(CLAIMS.request_id, 0)
    assert world.sink.events[0].counts == Counts(7, 0, 2, longest_choice_tokens=2)


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
