"""Whole answers are one message of the replica, where they fit one, and move on however far one was."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from comptoir.client import (
    Chat,
    ComptoirError,
    ErrorReason,
    ModelFeature,
    ReasoningEffort,
    Sampling,
    TemplateOptions,
)
from comptoir.client.chat import Order
from comptoir.generator.v1 import generator_pb2

from services.kernel.errors import Reason
from tests.client.stage import MODEL, WAIT_SECONDS, Caller, NotingGenerator, Stage, chat, failing, tickets
from tests.services.edge.scripts import LEASE, GeneratorScript


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that replicas get, by the names of their methods."""
    called: list[str] = []
    whole, stream = NotingGenerator.GenerateWhole, NotingGenerator.Generate

    async def one_message(self: Any, request: Any, context: Any) -> generator_pb2.GenerateWholeResponse:
        called.append("GenerateWhole")
        return await whole(self, request, context)

    async def many_messages(
        self: Any, request: Any, context: Any
    ) -> AsyncIterator[generator_pb2.GenerateResponse]:
        called.append("Generate")
        async for response in stream(self, request, context):
            yield response

    monkeypatch.setattr(NotingGenerator, "GenerateWhole", one_message)
    monkeypatch.setattr(NotingGenerator, "Generate", many_messages)
    return called


async def test_who_wants_a_whole_answer_gets_one_message(
    stage: Stage, caller: Caller, streams: list[str]
) -> None:
    await stage.start(GeneratorScript())
    answer = await caller.answer(**chat())
    assert answer.text == "Bonjour !"
    # The scripted one is made of what the scripted stream yields.
    assert streams == ["GenerateWhole", "Generate"]
    assert await caller.texts(**chat()) == ["Bon", "jour", " !"]
    assert streams[2:] == ["Generate"]


async def no_such_method(_self: Any, _request: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


async def test_a_replica_without_whole_answers_is_asked_for_a_stream_with_the_same_ticket(
    stage: Stage, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotingGenerator, "GenerateWhole", no_such_method)
    await stage.start(GeneratorScript())
    assert (await caller.answer(**chat())).text == "Bonjour !"
    await caller.close()
    assert tickets(stage) == [[1]]
    assert stage.script.released == []


async def test_a_stream_in_place_of_a_whole_answer_moves_on_as_any_stream(
    stage: Stage, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotingGenerator, "GenerateWhole", no_such_method)
    await stage.start(failing(Reason.REPLICA_DRAINING), GeneratorScript())
    assert (await caller.answer(**chat())).text == "Bonjour !"
    assert tickets(stage) == [[1], [2]]


@pytest.mark.parametrize(
    ("sampling", "max_output_tokens", "is_one_message"),
    [
        (Sampling(), 128 * 1024, True),
        (Sampling(), 1024 * 1024, False),
        (Sampling(n=16), 128 * 1024, False),
        (Sampling(n=16), 4096, True),
        (Sampling(logprobs=20), 8192, False),
        (Sampling(logprobs=20), 1024, True),
    ],
)
def test_what_may_be_larger_than_a_message_is_asked_for_as_a_stream(
    sampling: Sampling, max_output_tokens: int, *, is_one_message: bool
) -> None:
    whole, streamed = (Order(chat(sampling=sampling), is_streamed=flag) for flag in (False, True))
    assert whole.is_one_message(max_output_tokens) is is_one_message
    assert not streamed.is_one_message(max_output_tokens)


@pytest.mark.parametrize("prompt", ["a" * 1024 * 1024, [7] * 64 * 1024])
def test_a_prompt_that_each_choice_begins_with_counts_as_often(prompt: str | list[int]) -> None:
    def is_one_message(n: int, *, is_echoed: bool) -> bool:
        chat: Chat = {"model": MODEL, "prompt": prompt, "sampling": Sampling(n=n)}
        return Order({**chat, "is_prompt_echoed": is_echoed}, is_streamed=False).is_one_message(16)

    assert is_one_message(8, is_echoed=False)
    assert is_one_message(1, is_echoed=True)
    assert not is_one_message(8, is_echoed=True)


async def test_a_replica_that_fails_in_the_middle_of_a_whole_answer_is_left_for_the_next(
    stage: Stage, caller: Caller
) -> None:
    await stage.start(failing(Reason.REPLICA_DRAINING, "Bon", "soir"), GeneratorScript())
    assert (await caller.answer(**chat())).text == "Bonjour !"
    await caller.close()
    assert tickets(stage) == [[1], [2]]
    assert stage.script.released == []


async def test_a_request_whose_whole_answer_breaks_every_replica_breaks_three(
    stage: Stage, caller: Caller
) -> None:
    await stage.start(*(failing(Reason.UNAVAILABLE, "Bon") for _ in range(4)))
    stage.script.addresses_in_turn = [[address] for address in stage.script.addresses]
    with pytest.raises(ComptoirError) as raised:
        await caller.answer(**chat())
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
    assert tickets(stage) == [[1], [1], [1], []]


async def test_a_connection_that_breaks_in_a_whole_answer_lost_a_replica_that_accepted(
    stage: Stage, caller: Caller
) -> None:
    scripts = [GeneratorScript(steps=["Bon", asyncio.Event()]) for _ in range(4)]
    await stage.start(*scripts)
    stage.script.addresses_in_turn = [[address] for address in stage.script.addresses]
    asking = asyncio.create_task(caller.answer(**chat()))
    for number in range(3):
        await asyncio.wait_for(scripts[number].has_played.wait(), WAIT_SECONDS)
        await stage.stop_replica(number + 1)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason == ErrorReason.ERROR_REASON_UNAVAILABLE
    assert not scripts[3].has_been_asked.is_set()


async def test_ids_and_the_templates_options_are_asked_for_by_name(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    template = TemplateOptions(reasoning_effort=ReasoningEffort.REASONING_EFFORT_LOW)
    await caller.answer(**chat(returns_token_ids=True, template=template))
    await caller.answer(**chat())
    asked, plain = stage.replicas[0].requests
    assert (asked.returns_token_ids, asked.template) == (True, template)
    assert (plain.returns_token_ids, plain.HasField("template")) == (False, False)


async def test_a_model_is_described_by_a_replica_that_serves_it(stage: Stage, caller: Caller) -> None:
    await stage.start(GeneratorScript())
    said = await caller.describe("tiny-eu")
    assert (said.model, said.context_tokens) == ("tiny-eu", 4096)
    assert ModelFeature.MODEL_FEATURE_LOGPROBS not in said.features
    assert LEASE not in stage.script.released
