import openai
import pytest

from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.conftest import CHAT, PATH, Stage
from tests.services.edge.scripts import GOOD_KEY, LEASE, record_of


def sdk(stage: Stage) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0)


async def test_the_python_sdk_gets_a_whole_answer(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client:
        answer = await client.chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == "Bonjour !"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (11, 3)
    assert stage.generators[0].texts == ["Écris."]
    assert stage.router.upper_bounds == [7 + 16 + 64]
    assert answer._request_id == stage.router.request_ids[0].hex
    assert answer.id == f"chatcmpl-{answer._request_id}"


async def test_the_python_sdk_streams_an_answer(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client:
        stream = await client.chat.completions.create(
            **CHAT, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks[1:4]] == ["Bon", "jour", " !"]
    assert chunks[4].choices[0].finish_reason == "stop"
    assert chunks[5].choices == []
    assert chunks[5].usage is not None
    assert chunks[5].usage.total_tokens == 14
    assert {chunk.usage for chunk in chunks[:5]} == {None}
    assert len({chunk.id for chunk in chunks}) == 1
    await stage.drain()
    (event,) = stage.emitter.events
    assert not event.is_client_cancelled
    assert event.http_status == 200
    assert event.transfer_record == record_of(1)


async def test_the_next_ticket_is_used_when_a_replica_fails_before_its_first_text(stage: Stage) -> None:
    stage.generators[0].before_started = [ComptoirError(Reason.REPLICA_DRAINING)]
    stage.generators[1].steps = [ComptoirError(Reason.UNAVAILABLE)]
    await stage.start()
    async with sdk(stage) as client:
        answer = await client.chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == "Bonjour !"
    assert [script.attempts for script in stage.generators] == [[1], [2], [3]]
    assert stage.router.released == []


async def test_a_lease_is_given_back_when_no_replica_accepts(stage: Stage) -> None:
    for script in stage.generators:
        script.before_started = [ComptoirError(Reason.TICKET_EXPIRED)]
    await stage.start()
    async with sdk(stage) as client:
        with pytest.raises(openai.InternalServerError) as raised:
            await client.chat.completions.create(**CHAT)
    assert raised.value.status_code == 503
    assert raised.value.code == "ticket_expired"
    assert raised.value.response.headers["x-should-retry"] == "false"
    await stage.drain()
    assert stage.router.released == [LEASE]


async def test_fields_without_effect_are_counted_on_answers_streams_and_refusals(stage: Stage) -> None:
    client = await stage.start()
    unknown = {"canary": 1, "messages": [{"role": "user", "content": "x", "canary-2": "canary"}]}
    for is_streamed in (False, True):
        answer = await client.post(PATH, json=CHAT | unknown | {"stream": is_streamed})
        assert (answer.status_code, answer.headers["x-comptoir-ignored-fields"]) == (200, "2")
        assert "canary" not in f"{answer.headers}{answer.text}"
        assert "x-comptoir-ignored-fields" not in (await client.post(PATH, json=CHAT)).headers
    stage.router.refusal = ComptoirError(Reason.REQUESTS_EXHAUSTED)
    refused = await client.post(PATH, json=CHAT | unknown)
    assert (refused.status_code, refused.headers["x-comptoir-ignored-fields"]) == (429, "2")


async def test_the_sdk_reads_how_many_fields_had_no_effect(stage: Stage) -> None:
    await stage.start()
    async with sdk(stage) as client:
        raw = await client.chat.completions.with_raw_response.create(
            **CHAT, user="u", extra_body={"made_up": 1, "nothing": None}
        )
    assert raw.headers["x-comptoir-ignored-fields"] == "2"
