import asyncio
import time

import httpx
import openai
import pytest

from services.edge.process import HttpSide
from services.edge.settings import HttpListen
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.conftest import CHAT, LIMITS, PATH, STREAM, Stage, sdk
from tests.services.edge.memory import MemoryGenerators, MemoryRouter, MemoryUsage
from tests.services.edge.scripts import GOOD_KEY, LEASE, GeneratorScript, UsageScript


async def test_headers_of_a_stream(stage: Stage) -> None:
    client = await stage.start()
    answer = await client.post(PATH, json=STREAM)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["x-ratelimit-limit-requests"] == "60"
    assert answer.headers["x-ratelimit-reset-tokens"] == "20ms"
    assert "content-length" not in answer.headers
    assert answer.text.endswith("data: [DONE]\n\n")
    assert answer.text.count("[DONE]") == 1


async def test_empty_deltas_are_not_sent(stage: Stage) -> None:
    stage.generators[0].steps = ["", "a", "", "b"]
    client = await stage.start()
    answer = await client.post(PATH, json=STREAM)
    assert answer.text.count("data: {") == 4


async def test_a_failure_before_the_first_message_of_a_replica_keeps_its_status(stage: Stage) -> None:
    stage.generators[0].before_started = [ComptoirError(Reason.ENGINE_FAILED)]
    client = await stage.start()
    answer = await client.post(PATH, json=STREAM)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "engine_failed"


async def test_a_failure_in_mid_stream_raises_in_the_sdk(stage: Stage) -> None:
    stage.generators[0].steps = ["Bon", ComptoirError(Reason.UNAVAILABLE)]
    await stage.start()
    async with sdk(stage) as client:
        stream = await client.chat.completions.create(**STREAM)
        texts = [(await anext(stream)).choices[0].delta.content for _ in range(2)]
        with pytest.raises(openai.APIError) as raised:
            await anext(stream)
    assert texts == ["", "Bon"]
    assert raised.value.code == "unavailable"
    await stage.drain()
    assert stage.generators[1].attempts == []
    assert stage.router.released == []
    assert stage.emitter.events[0].reason == int(Reason.UNAVAILABLE)
    assert stage.emitter.events[0].http_status == 200


async def test_all_replicas_failing_after_the_headers_is_told_in_the_stream(stage: Stage) -> None:
    for script in stage.generators:
        script.steps = [ComptoirError(Reason.REPLICA_OVERLOADED)]
    client = await stage.start()
    answer = await client.post(PATH, json=STREAM)
    assert answer.status_code == 200
    assert '"code":"replica_overloaded"' in answer.text
    assert answer.text.endswith("data: [DONE]\n\n")
    await stage.drain()
    assert stage.router.released == [LEASE]


async def test_a_silent_stream_is_kept_open_with_comments(stage: Stage) -> None:
    gate = asyncio.Event()
    stage.generators[0].steps = [gate, "a"]
    client = await stage.start(ping_seconds=0.02)
    pings = 0
    lines = []
    async with client.stream("POST", PATH, json=STREAM) as answer:
        async for line in answer.aiter_lines():
            lines.append(line)
            pings += line == ": ping"
            if pings == 2:
                gate.set()
    assert 'content":"a"' in "".join(lines)
    assert lines[-2] == "data: [DONE]"


async def test_a_replica_without_a_first_text_in_time_is_given_up(stage: Stage) -> None:
    stage.generators[0].steps = [asyncio.Event()]
    client = await stage.start(first_text_seconds=0.5)
    answer = await client.post(PATH, json=CHAT)
    assert answer.status_code == 504
    assert answer.headers["x-should-retry"] == "false"
    await asyncio.wait_for(stage.generators[0].cancelled.wait(), 5)


async def test_the_whole_request_has_a_deadline_that_the_replica_knows(stage: Stage) -> None:
    stage.generators[0].steps = ["a", asyncio.Event()]
    client = await stage.start(request_seconds=1)
    answer = await client.post(PATH, json=STREAM)
    assert '"code":"deadline_exceeded"' in answer.text
    await asyncio.wait_for(stage.generators[0].cancelled.wait(), 5)


async def test_an_engine_that_fails_before_its_first_text_gives_the_lease_back(stage: Stage) -> None:
    stage.generators[0].steps = [ComptoirError(Reason.ENGINE_FAILED)]
    client = await stage.start()
    assert (await client.post(PATH, json=CHAT)).status_code == 500
    await stage.drain()
    assert stage.generators[1].attempts == []
    assert stage.router.released == [LEASE]


async def test_the_event_tells_what_was_counted_and_when(stage: Stage) -> None:
    client = await stage.start()
    answer = await client.post(PATH, json=STREAM, headers={"x-stainless-retry-count": "2"})
    await stage.drain()
    (event,) = stage.emitter.events
    assert event.request_id_high == stage.router.request_ids[0].high
    assert answer.headers["x-request-id"] == stage.router.request_ids[0].hex
    assert (event.region, event.model, event.tenant_low, event.key_low) == (1, 1, 2, 3)
    assert event.is_streamed
    assert event.client_retry_count == 2
    assert event.request_bytes == len(answer.request.content)
    assert event.response_bytes == len(answer.content)
    assert 0 < event.admitted_microseconds < event.first_byte_microseconds <= event.duration_microseconds
    assert abs(event.started_at_microseconds / 1e6 - time.time()) < 60  # noqa: TID251 - the real clock
    assert event.endpoint == 1


async def test_the_edge_keeps_the_deadline_of_a_request_by_itself(stage: Stage) -> None:
    await stage.start()
    script = GeneratorScript(steps=["a", asyncio.Event()])
    usage = UsageScript()
    edge = HttpSide(
        LIMITS.model_copy(update={"request_seconds": 0.1}),
        HttpListen(port=0),
        SystemClock(),
        router=MemoryRouter(stage.router),
        generators=MemoryGenerators({stage.router.addresses[0]: script}),
        usage=MemoryUsage(usage),
    )
    await edge.start()
    headers = {"authorization": f"Bearer {GOOD_KEY}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{edge.port}", headers=headers) as client:
        answer = await client.post(PATH, json=STREAM, timeout=5)
    assert '"code":"deadline_exceeded"' in answer.text
    assert script.cancelled.is_set()
    await edge.drain()
    assert usage.events[0].reason is Reason.DEADLINE_EXCEEDED


async def test_many_streams_at_once_do_not_mix(stage: Stage) -> None:
    client = await stage.start()
    answers = await asyncio.gather(*(client.post(PATH, json=STREAM) for _ in range(32)))
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == 32
    for answer in answers:
        assert answer.text.count(f"chatcmpl-{answer.headers['x-request-id']}") == answer.text.count("data: {")
