"""Prompts that are no chats: a text, and token ids that a caller wrote."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.generation import Generation
from services.generator.domain.ports import RequestFailedError
from services.generator.domain.prompt import Prompt, Text, TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.terminal_event import Outcome
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.domain.scripted_engine import STEPS, VOCABULARY_TOKENS, ScriptedEngine, World


def world_of(
    prompt: Prompt, *, engine: ScriptedEngine | None = None, n: int = 1, echo: bool = False
) -> World:
    world = World(engine or ScriptedEngine())
    claims = replace(world.order.claims, choices=n)
    world.order = replace(
        world.order, claims=claims, prompt=prompt, is_prompt_echoed=echo, sampling=Sampling(n=n)
    )
    world.generation = Generation(world.order, world.parts)
    return world


def texts(world: World) -> dict[int, str]:
    said: dict[int, str] = {}
    for message in world.sent:
        if isinstance(message, Delta):
            said[message.index] = said.get(message.index, "") + message.text
    return said


async def test_a_text_is_tokenized_and_counted() -> None:
    world = world_of(Text("x"))
    assert await world.serve() is None
    assert world.engine.requests[0].prompt == TokenIds([1, 2, 3])
    assert world.sink.events[0].counts.input_tokens == 3


@pytest.mark.parametrize(("prompt", "parts"), [("Ou\u0300", ["e\u0301"]), ("Où", ["e", "\u0301"])])
async def test_accents_come_with_their_letters_where_the_prompt_has_such(
    prompt: str, parts: list[str]
) -> None:
    world = world_of(
        Text(prompt), engine=ScriptedEngine(deltas=[Delta("e", 1), Delta("\u0301", 1), Delta("", 1)])
    )
    assert await world.serve() is None
    assert [message.text for message in world.sent if isinstance(message, Delta) and message.text] == parts


async def test_token_ids_reach_the_engine_as_they_are() -> None:
    world = world_of(TokenIds((5, 0, VOCABULARY_TOKENS - 1)))
    assert await world.serve() is None
    assert world.engine.requests[0].prompt == TokenIds((5, 0, VOCABULARY_TOKENS - 1))
    assert world.sink.events[0].counts.input_tokens == 3


async def test_token_ids_that_are_too_many_are_refused_by_their_number() -> None:
    # Nor is any of them looked at: this one is not of the vocabulary.
    world = world_of(TokenIds((VOCABULARY_TOKENS,) * 5000))
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert error.reason is Reason.CONTEXT_TOO_LONG
    assert await world.check_ended() is Outcome.REFUSED


@pytest.mark.parametrize("ids", [(), (1, VOCABULARY_TOKENS)])
async def test_token_ids_that_the_model_has_not_are_refused_by_name(ids: tuple[int, ...]) -> None:
    world = world_of(TokenIds(ids))
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, "prompt")
    assert await world.check_ended() is Outcome.REFUSED
    assert world.engine.requests == []


@pytest.mark.parametrize("prompt", [Text("é" * 5000), TokenIds((1,) * 64)])
async def test_a_prompt_that_fills_the_context_is_refused_by_its_name(prompt: Prompt) -> None:
    world = world_of(prompt)
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert (error.reason, error.field, error.numbers.limit) == (Reason.CONTEXT_TOO_LONG, "prompt", 64)


async def test_no_text_is_made_of_a_prompt_that_does_not_fit() -> None:
    """Who left meanwhile would be counted with more than the model holds, which no emitter takes."""

    class Engine(ScriptedEngine):
        async def detokenize(self, ids: Sequence[int], *, spells_controls: bool = False) -> str:
            raise asyncio.CancelledError

    world = world_of(TokenIds((1,) * 64), engine=Engine(), echo=True)
    error = await world.serve()
    assert isinstance(error, ComptoirError)
    assert error.reason is Reason.CONTEXT_TOO_LONG
    assert await world.check_ended() is Outcome.REFUSED
    assert world.sink.events[0].counts.input_tokens == 0


@pytest.mark.parametrize(("prompt", "text"), [(Text("Il "), "Il "), (TokenIds((73, 108)), "Il")])
async def test_an_echo_is_the_prompts_text_and_no_token_of_the_answer(prompt: Prompt, text: str) -> None:
    world, plain = world_of(prompt, echo=True), world_of(prompt)
    assert await world.serve() is None
    assert await plain.serve() is None
    assert texts(world) == {0: text + texts(plain)[0]}
    assert world.sink.events[0].counts.output_tokens == STEPS == plain.sink.events[0].counts.output_tokens


async def test_an_echo_stands_before_each_choice_also_where_the_model_says_nothing() -> None:
    deltas = [Delta("a", 1), Delta("", 1, index=1, finish=EngineFinish.STOP), Delta("b", 1)]
    world = world_of(Text("Il "), engine=ScriptedEngine(deltas=deltas), n=2, echo=True)
    assert await world.serve() is None
    assert texts(world) == {0: "Il ab", 1: "Il "}


async def test_nothing_is_echoed_before_the_first_token() -> None:
    """A caller may use its next ticket as long as it got no delta."""
    failing = ScriptedEngine(failure_at=2, failure=RequestFailedError())
    world = world_of(Text("Il "), engine=failing, echo=True)
    assert isinstance(await world.serve(), ComptoirError)
    assert texts(world) == {}
    assert world.link.unserved_leases
