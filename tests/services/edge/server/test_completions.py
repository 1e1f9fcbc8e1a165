"""A completion over HTTP: one prompt or several, streamed or whole, and how they end together."""

import asyncio
from typing import Any

import openai
import pytest

from services.edge.domain.openai.paths import COMPLETIONS_PATH
from services.kernel.errors import ComptoirError, Numbers, Reason
from tests.services.edge.conftest import Stage, sdk
from tests.services.edge.scripts import LEASE

PROMPT: Any = {"model": "tiny-eu", "prompt": "Il était"}
THREE: Any = {"model": "tiny-eu", "prompt": ["a", "bé", "c"]}


def one_replica_each(stage: Stage) -> None:
    stage.router.addresses_in_turn = [[address] for address in stage.router.addresses]


async def test_the_sdk_gets_a_whole_answer(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client:
        answer = await client.completions.create(**PROMPT)
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason, choice.logprobs) == ("Bonjour !", "stop", None)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 3)
    assert stage.generators[0].prompts == ["Il était"]
    assert stage.router.upper_bounds == [9 + 4]
    assert answer.id == f"cmpl-{stage.router.request_ids[0].hex}"


async def test_the_sdk_streams_an_answer(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client:
        stream = await client.completions.create(
            **PROMPT, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    *texts, finish, usage = chunks
    assert "".join(chunk.choices[0].text for chunk in texts) == "Bonjour !"
    assert finish.choices[0].finish_reason == "stop"
    assert usage.usage is not None
    assert (usage.choices, usage.usage.total_tokens) == ([], 14)
    await stage.drain()
    (event,) = stage.emitter.events
    assert (event.endpoint, event.is_streamed, event.http_status) == (3, True, 200)


async def test_token_ids_reach_the_replica_as_they_are(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client:
        await client.completions.create(model="tiny-eu", prompt=[5, 0, 7])
    assert stage.generators[0].prompts == [[5, 0, 7]]
    assert stage.router.upper_bounds == [3]


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_each_prompt_is_a_generation_and_its_choices_come_in_their_order(
    stage: Stage, is_streamed: bool
) -> None:
    one_replica_each(stage)
    for number, script in enumerate(stage.generators):
        script.steps = [f"{number}", "-", f"{number}"]
    await stage.start()
    said = {0: "", 1: "", 2: ""}
    async with sdk(stage) as sdk_client:
        if is_streamed:
            options: Any = {"include_usage": True}
            async for chunk in await sdk_client.completions.create(
                **THREE, stream=True, stream_options=options
            ):
                usage = chunk.usage
                for choice in chunk.choices:
                    said[choice.index] += choice.text
        else:
            answer = await sdk_client.completions.create(**THREE)
            usage = answer.usage
            said = {choice.index: choice.text for choice in answer.choices}
    by_prompt = {script.prompts[0]: script.steps for script in stage.generators}
    assert said == {
        index: "".join(map(str, by_prompt[prompt])) for index, prompt in enumerate(THREE["prompt"])
    }
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (33, 9)
    assert len(set(stage.router.request_ids)) == 1
    await stage.drain()
    assert [event.http_status for event in stage.emitter.events] == [200]


async def test_a_prompt_that_is_refused_refuses_the_request_and_ends_the_others(stage: Stage) -> None:
    one_replica_each(stage)
    stage.generators[0].before_started = [ComptoirError(Reason.CONTEXT_TOO_LONG, numbers=Numbers(10, 20))]
    for script in stage.generators[1:]:
        script.steps = ["a", asyncio.Event()]
    await stage.start()
    async with sdk(stage) as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.completions.create(**THREE)
    assert (refusal.value.code, refusal.value.param) == ("context_length_exceeded", "prompt")
    assert "your prompt resulted in 20 tokens" in refusal.value.message
    async with asyncio.timeout(5):
        for script in stage.generators[1:]:
            if script.attempts:
                await script.cancelled.wait()
    await stage.drain()
    assert stage.router.released.count(LEASE) >= 1


async def test_a_failure_of_one_prompt_in_mid_stream_is_one_error_and_ends_the_others(stage: Stage) -> None:
    one_replica_each(stage)
    gate = asyncio.Event()
    stage.generators[0].steps = ["a", gate, ComptoirError(Reason.ENGINE_FAILED)]
    for script in stage.generators[1:]:
        script.steps = ["b", asyncio.Event()]
    await stage.start()
    async with sdk(stage) as client:
        stream = await client.completions.create(**THREE, stream=True)
        said = [(await anext(aiter(stream))).choices[0].text for _ in range(3)]
        gate.set()
        with pytest.raises(openai.APIError) as failure:
            await anext(aiter(stream))
    assert sorted(said) == ["a", "b", "b"]
    assert failure.value.code == "engine_failed"
    async with asyncio.timeout(5):
        for script in stage.generators[1:]:
            await script.cancelled.wait()


async def test_a_client_that_leaves_ends_every_prompt(stage: Stage) -> None:
    one_replica_each(stage)
    for script in stage.generators:
        script.steps = ["a", asyncio.Event()]
    await stage.start()
    async with sdk(stage) as client:
        stream = await client.completions.create(**THREE, stream=True)
        await anext(aiter(stream))
        await stream.close()
        async with asyncio.timeout(5):
            for script in stage.generators:
                await script.cancelled.wait()
    await stage.drain()
    (event,) = stage.emitter.events
    assert event.is_client_cancelled


async def test_prompts_that_together_never_fit_the_quota_are_no_reason_to_try_again(stage: Stage) -> None:
    stage.router.refusal = ComptoirError(
        Reason.TOKENS_EXHAUSTED, retry_after_seconds=1.0, numbers=Numbers(50, 21, 5)
    )
    await stage.start()
    async with sdk(stage) as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.completions.create(model="tiny-eu", prompt=["a", "b", "c"])
        assert refusal.value.code == "quota_too_small"
        assert "Limit 50, Requested 63" in refusal.value.message
        with pytest.raises(openai.RateLimitError):
            await client.completions.create(model="tiny-eu", prompt=["a", "b"])


@pytest.mark.parametrize("reason", [Reason.REQUESTS_EXHAUSTED, Reason.CONCURRENCY_EXHAUSTED])
async def test_more_prompts_than_the_key_can_ever_have_are_no_reason_to_try_again(
    stage: Stage, reason: Reason
) -> None:
    stage.router.refusal = ComptoirError(reason, retry_after_seconds=1.0, numbers=Numbers(2, 1, 0))
    await stage.start()
    async with sdk(stage) as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.completions.create(**THREE)
        assert refusal.value.param == "prompt"
        with pytest.raises(openai.RateLimitError):
            await client.completions.create(model="tiny-eu", prompt=["a", "b"])


async def test_a_prompt_that_is_tried_again_is_no_reason_against_the_clients_own_retry(stage: Stage) -> None:
    """Three prompts use three tickets, and none of them a second one."""
    one_replica_each(stage)
    for script in stage.generators:
        script.before_started = [ComptoirError(Reason.REPLICA_OVERLOADED)]
    client = await stage.start()
    refused = await client.post(COMPLETIONS_PATH, json=THREE)
    assert (refused.status_code, refused.headers["x-should-retry"]) == (503, "true")


@pytest.mark.parametrize(
    ("sent", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"logprobs": 6}, "logprobs"),
        ({"suffix": "fin"}, "suffix"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
async def test_a_refusal_names_the_parameter_and_what_it_must_be(
    stage: Stage, sent: dict[str, Any], param: str
) -> None:
    client = await stage.start()
    answer = await client.post(COMPLETIONS_PATH, json=PROMPT | sent)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert f"'{param}'" in error["message"]


async def test_what_a_completion_drops_is_counted(stage: Stage) -> None:
    client = await stage.start()
    answer = await client.post(COMPLETIONS_PATH, json=PROMPT | {"made_up": 1, "user": "u", "best_of": 1})
    assert answer.headers["x-comptoir-ignored-fields"] == "2"
