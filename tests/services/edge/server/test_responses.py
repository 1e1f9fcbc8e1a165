"""Responses over HTTP: streamed or whole, how they fail, and what is refused by its name."""

import asyncio
import json
from typing import Any

import openai
import pytest

from services.edge.domain.openai.paths import RESPONSES_PATH
from services.kernel.errors import ComptoirError, Numbers, Reason
from tests.services.edge.conftest import Stage, sdk
from tests.services.edge.scripts import LEASE

ASK: Any = {"model": "tiny-eu", "input": "Écris."}


async def test_the_sdk_gets_a_whole_answer(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client:
        answer = await client.responses.create(**ASK, instructions="Sois bref.")
    assert (answer.output_text, answer.status) == ("Bonjour !", "completed")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (11, 3)
    assert stage.generators[0].texts == ["Sois bref.", "Écris."]
    assert answer.id == f"resp_{stage.router.request_ids[0].hex}"
    await stage.drain()
    (event,) = stage.emitter.events
    assert (event.endpoint, event.is_streamed, event.http_status) == (5, False, 200)


async def test_the_sdk_streams_an_answer(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client, client.responses.stream(**ASK) as stream:
        texts = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        answer = await stream.get_final_response()
    assert texts == ["Bon", "jour", " !"]
    assert answer.output_text == "Bonjour !"


async def test_an_answer_that_was_cut_is_incomplete(stage: Stage) -> None:
    stage.generators[0].is_length = True
    await stage.start()
    async with sdk(stage) as client:
        events = [event async for event in await client.responses.create(**ASK, stream=True)]
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.incomplete_details is not None


async def test_a_stream_has_the_kind_of_each_event_and_no_done(stage: Stage) -> None:
    client = await stage.start()
    answer = await client.post(RESPONSES_PATH, json=ASK | {"stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    frames = answer.text.split("\n\n")[:-1]
    for frame in frames:
        kind, data = frame.split("\n")
        assert json.loads(data.removeprefix("data: "))["type"] == kind.removeprefix("event: ")
    assert "[DONE]" not in answer.text
    assert answer.headers["x-ratelimit-limit-requests"] == "60"


async def test_a_failure_in_mid_stream_ends_the_response_and_is_raised(stage: Stage) -> None:
    stage.generators[0].steps = ["a", ComptoirError(Reason.ENGINE_FAILED)]
    await stage.start()
    seen = []

    async def read(client: openai.AsyncOpenAI) -> None:
        async for event in await client.responses.create(**ASK, stream=True):
            seen.append(event.type)  # noqa: PERF401 - what was seen before the failure counts

    async with sdk(stage) as client:
        with pytest.raises(openai.APIError) as failure:
            await read(client)
    assert seen[-1] == "response.failed"
    assert failure.value.code == "engine_failed"


async def test_a_refusal_after_a_long_wait_is_an_error_alone(stage: Stage) -> None:
    stage.router.hold = asyncio.Event()
    stage.router.refusal = ComptoirError(Reason.NO_REPLICA)
    client = await stage.start()
    async with client.stream("POST", RESPONSES_PATH, json=ASK | {"stream": True}) as answer:
        assert answer.status_code == 200
        stage.router.hold.set()
        text = (await answer.aread()).decode()
    (event,) = [line for line in text.splitlines() if line.startswith("data: ")]
    error = json.loads(event.removeprefix("data: "))
    assert (error["type"], error["code"], error["sequence_number"]) == ("error", "no_replica", 0)


async def test_a_client_that_leaves_ends_the_answer(stage: Stage) -> None:
    stage.generators[0].steps = ["a", asyncio.Event()]
    await stage.start()
    async with sdk(stage) as client:
        stream = await client.responses.create(**ASK, stream=True)
        for _ in range(5):
            await anext(aiter(stream))
        await stream.close()
        async with asyncio.timeout(5):
            await stage.generators[0].cancelled.wait()


async def test_what_a_replica_refuses_is_told_in_the_words_of_responses(stage: Stage) -> None:
    tools = [{"type": "custom", "name": "x"}, {"type": "function", "name": "time"}]
    client = await stage.start()
    for field, param in (
        ("tools[0].parameters_schema.not", "tools[1].parameters.not"),
        ("structure.json_schema.not", "text.format.schema.not"),
    ):
        stage.generators[0].before_started = [ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=field)]
        refused = await client.post(RESPONSES_PATH, json=ASK | {"tools": tools})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert LEASE in stage.router.released


async def test_an_input_that_is_too_long_is_told_so(stage: Stage) -> None:
    stage.router.refusal = ComptoirError(Reason.CONTEXT_TOO_LONG, field="messages", numbers=Numbers(10, 20))
    await stage.start()
    async with sdk(stage) as client:
        with pytest.raises(openai.BadRequestError) as refusal:
            await client.responses.create(**ASK)
    assert (refusal.value.code, refusal.value.param) == ("context_length_exceeded", "input")
    assert "your input resulted in 20 tokens" in refusal.value.message


async def test_what_would_be_stored_is_refused_with_the_reason(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client:
        for asked in ({"store": True}, {"previous_response_id": "resp_1"}):
            with pytest.raises(openai.BadRequestError) as refusal:
                await client.responses.create(**ASK, **asked)
            assert "nothing is stored here" in refusal.value.message
        for ask in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
            with pytest.raises(openai.NotFoundError) as missing:
                await ask("resp_1")
            assert "stored" in missing.value.message


async def test_what_has_no_effect_is_counted(stage: Stage) -> None:
    client = await stage.start()
    asked = ASK | {"made_up": 1, "store": False, "include": ["reasoning.encrypted_content"]}
    answer = await client.post(RESPONSES_PATH, json=asked)
    assert answer.headers["x-comptoir-ignored-fields"] == "2"


async def test_a_client_that_refers_to_what_was_said_is_known_by_its_name(stage: Stage) -> None:
    client = await stage.start()
    vercel = {"user-agent": "ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/v20.20.2"}

    async def asked(headers: dict[str, str], **changes: Any) -> list[str]:
        answer = await client.post(RESPONSES_PATH, json=ASK | changes, headers=headers)
        assert answer.status_code == 200
        return [item["id"] for item in answer.json()["output"]]

    (sealed,) = await asked(vercel)
    assert "." in sealed
    for plain in (await asked({}), await asked(vercel, store=False)):
        assert "." not in plain[0]
    reference = {"type": "item_reference", "id": sealed}
    await asked({}, input=[{"role": "user", "content": "Écris."}, reference])
    assert "Bonjour !" in stage.generators[0].texts
