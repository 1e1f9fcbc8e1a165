"""The client of internal services, against real processes: its answers, its rows, and a replica that dies."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from comptoir.client import (
    Answer,
    Client,
    ComptoirError,
    FinishReason,
    ModelFeature,
    Sampling,
    Structure,
    Tool,
    Tools,
    ToolUse,
    aio,
    assistant,
    tool,
    user,
)
from comptoir.client.answers import choices_of

from tests.system.serving_processes import MODEL, ServingProcesses
from tests.system.stack_process import REPOSITORY, Stack

pytestmark = pytest.mark.system

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROMPT = "Écris un bref compte rendu."
REQUESTS = 12
# The one that is killed has no text by then, on a machine that stands still for seconds too.
SLOW: dict[str, Any] = {"simulated": {"ttft_seconds": 8.0, "answer_tokens": 5}}
QUICK: dict[str, Any] = {"simulated": {"answer_tokens": 5}}


def _assert_counted(stack: Stack, answer: Answer) -> None:
    row = stack.row_of("generations", answer.request_id.hex)
    assert (row["input_tokens"], row["output_tokens"]) == (
        answer.finished.input_tokens,
        answer.finished.output_tokens,
    )
    assert stack.row_of("admissions", answer.request_id.hex)["decision"] == "admitted"


def test_a_service_that_blocks_streams_an_answer_whose_counts_are_its_row(stack: Stack) -> None:
    with Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        assert [model.name for model in client.list_models()] == [stack.model]
        with client.generate(model=stack.model, messages=[user(PROMPT)], max_output_tokens=20) as generation:
            deltas = list(generation)
        assert sum(delta.output_tokens for delta in deltas) <= generation.finished.output_tokens <= 20
        assert generation.admitted.max_output_tokens == 20
    choices = choices_of(deltas)
    assert choices[0].text
    _assert_counted(stack, Answer(generation.request_id, choices, generation.finished))


async def test_a_service_on_asyncio_gets_many_answers_side_by_side(stack: Stack) -> None:
    async with aio.Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        asking = [
            client.answer(model=stack.model, messages=[user(PROMPT)], max_output_tokens=number)
            for number in range(1, 9)
        ]
        answers = await asyncio.gather(*asking)
    assert all(answer.text for answer in answers)
    await asyncio.to_thread(_assert_counted, stack, answers[-1])


async def test_a_service_continues_a_text_and_token_ids(stack: Stack) -> None:
    greedy = Sampling(temperature=0)
    async with aio.Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        asked: Any = {"model": stack.model, "sampling": greedy, "max_output_tokens": 12}
        plain = await client.answer(prompt=PROMPT, **asked)
        echoed = await client.answer(prompt=PROMPT, is_prompt_echoed=True, **asked)
        assert echoed.text == PROMPT + plain.text
        assert plain.finished.input_tokens == echoed.finished.input_tokens
        with pytest.raises(ComptoirError) as refusal:
            await client.answer(prompt=[10**6], **asked)
        assert (refusal.value.reason_name, refusal.value.field) == ("REQUEST_INVALID", "prompt")
        assert (await client.answer(prompt=[1, 60, 61], **asked)).finished.input_tokens == 3


async def test_a_service_is_told_the_ids_of_tokens_and_what_the_model_is(stack: Stack) -> None:
    asked: Any = {"model": stack.model, "messages": [user(PROMPT)], "max_output_tokens": 24}
    greedy = Sampling(temperature=0)
    async with aio.Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        whole = await client.answer(sampling=greedy, returns_token_ids=True, **asked)
        async with client.generate(sampling=greedy, returns_token_ids=True, **asked) as generation:
            deltas = [delta async for delta in generation]
        assert choices_of(deltas) == whole.choices
        assert len(whole.choices[0].token_ids) == whole.finished.output_tokens
        several = await client.answer(sampling=Sampling(n=3, seed=1), returns_token_ids=True, **asked)
        ids = [len(choice.token_ids) for choice in several.choices]
        assert sum(ids) == several.finished.output_tokens
        assert len(ids) == 3
        described = await client.describe_model(stack.model)
    assert (described.model, described.engine_name) == (stack.model, "vllm")
    assert max(whole.choices[0].token_ids) < described.vocabulary_tokens
    assert {ModelFeature.MODEL_FEATURE_STRUCTURE, ModelFeature.MODEL_FEATURE_TOOLS} <= set(described.features)
    await asyncio.to_thread(_assert_counted, stack, whole)


async def test_a_service_with_a_wrong_key_is_told_so(stack: Stack) -> None:
    async with aio.Client(stack.description["grpc"]["router"], api_key="cptr_wrong") as client:
        with pytest.raises(ComptoirError) as raised:
            await client.answer(model=stack.model, messages=[user(PROMPT)])
    assert (str(raised.value), raised.value.is_retryable) == ("KEY_INVALID", False)


def test_the_examples_of_the_page_run_as_they_stand(stack: Stack) -> None:
    page = (REPOSITORY / "docs" / "grpc.md").read_text()
    examples = [example for example in PYTHON.findall(page) if "sys.argv" in example]
    for example in examples:
        program = example.replace("127.0.0.1:8401", stack.description["grpc"]["router"])
        command = [sys.executable, "-c", program, stack.api_key]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
        assert re.search(r"[1-9][0-9]* output tokens", done.stdout), done.stdout
    assert len(examples) == 3


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[ServingProcesses]:
    processes = ServingProcesses(tmp_path, replicas=2, generator=QUICK, generator1=SLOW)
    try:
        await processes.start()
        yield processes
    finally:
        await processes.stop()


@pytest.mark.timeout(240)
async def test_a_replica_that_is_killed_costs_no_request_without_text(serving: ServingProcesses) -> None:
    key = await serving.key("acme", concurrency=2 * REQUESTS)
    async with aio.Client(serving.router_address, api_key=key) as client:
        generations = [
            client.generate(model=MODEL, messages=[user(PROMPT)], timeout_seconds=60) for _ in range(REQUESTS)
        ]
        # Each is accepted by one of the two replicas.
        await asyncio.gather(*(generation.__aenter__() for generation in generations))
        firsts = {generation.admitted.offer.generator_address for generation in generations}
        assert len(firsts) == 2
        serving.kill("generator1")
        texts = await asyncio.gather(*(_text_of(generation) for generation in generations))
    assert all(texts)
    assert all(generation.finished.output_tokens == 5 for generation in generations)


async def _text_of(generation: aio.Generation) -> str:
    return "".join([delta.text async for delta in generation])


async def test_a_service_has_a_tool_called_and_answers_it(stack: Stack) -> None:
    weather = Tool(name="weather", parameters_schema='{"type": "object", "additionalProperties": false}')
    tools = Tools(tools=[weather], use=ToolUse.TOOL_USE_REQUIRED, is_one_call=True)
    asked: Any = {"model": stack.model, "sampling": Sampling(temperature=0), "max_output_tokens": 60}
    async with aio.Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        called = await client.answer(messages=[user(PROMPT)], tools=tools, **asked)
        (call,) = called.tool_calls
        assert (call.name, call.arguments, called.text) == ("weather", "{}", "")
        assert called.finished.finish_reason == FinishReason.FINISH_REASON_TOOL_CALLS
        turns = [user(PROMPT), assistant(tool_calls=called.tool_calls), tool(call, "20 °C")]
        assert (await client.answer(messages=turns, **asked)).text


async def test_a_service_gets_several_choices_and_what_fits_a_schema(stack: Stack) -> None:
    async with aio.Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        answer = await client.answer(
            model=stack.model,
            messages=[user(PROMPT)],
            sampling=Sampling(n=2, logprobs=0),
            structure=Structure(json_schema='{"enum": ["ja", "nein"]}'),
        )
    assert {choice.text for choice in answer.choices} <= {'"ja"', '"nein"'}
    assert len(answer.choices) == 2
    assert all(choice.tokens for choice in answer.choices)
