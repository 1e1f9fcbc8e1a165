import asyncio
import socket
import time
from collections.abc import AsyncIterator

import httpx
import openai
import pytest

from services.edge.process import HttpSide
from services.edge.server.http import watches
from services.edge.settings import HttpListen
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.engine_requests import until
from tests.services.edge.conftest import CHAT, LIMITS, Stage
from tests.services.edge.memory import MemoryGenerators, MemoryRouter, MemoryUsage
from tests.services.edge.scripts import GOOD_KEY, LEASE, GeneratorScript, UsageScript

PATH = "/v1/chat/completions"
STREAM = CHAT | {"stream": True}


def sdk(stage: Stage) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0)


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
    client = await stage.start(first_text_seconds=0.1)
    answer = await client.post(PATH, json=CHAT)
    assert answer.status_code == 504
    assert answer.headers["x-should-retry"] == "false"
    await asyncio.wait_for(stage.generators[0].cancelled.wait(), 2)


async def test_the_whole_request_has_a_deadline_that_the_replica_knows(stage: Stage) -> None:
    stage.generators[0].steps = ["a", asyncio.Event()]
    client = await stage.start(request_seconds=0.3)
    answer = await client.post(PATH, json=STREAM)
    assert '"code":"deadline_exceeded"' in answer.text
    await asyncio.wait_for(stage.generators[0].cancelled.wait(), 2)


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_client_that_leaves_stops_the_replica_within_milliseconds(
    stage: Stage, is_streamed: bool
) -> None:
    script = stage.generators[0]
    script.steps = ["a", asyncio.Event()]
    client = await stage.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    request = client.build_request("POST", PATH, json=CHAT | {"stream": is_streamed})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    writer.write(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
    if is_streamed:
        await reader.readuntil(b'"content":"a"')
    else:
        await asyncio.wait_for(script.has_played.wait(), 2)
    left_at_seconds = asyncio.get_running_loop().time()
    writer.close()
    await asyncio.wait_for(script.cancelled.wait(), 2)
    assert script.cancelled_at_seconds - left_at_seconds < 0.2
    await stage.drain()
    (event,) = stage.emitter.events
    assert event.is_client_cancelled
    assert event.reason == int(Reason.CLIENT_CANCELLED)
    assert event.http_status == (200 if is_streamed else 499)
    if is_streamed:
        # A text came. Without a stream nobody sees whether it reached the edge before the client left.
        assert stage.router.released == []


async def test_a_client_that_leaves_before_a_replica_accepts_gives_its_lease_back(stage: Stage) -> None:
    script = stage.generators[0]
    script.before_started = [asyncio.Event()]
    client = await stage.start()
    asking = asyncio.create_task(client.post(PATH, json=STREAM))
    await asyncio.wait_for(script.has_been_asked.wait(), 2)
    asking.cancel()
    await asyncio.wait_for(script.cancelled.wait(), 2)
    await stage.drain()
    assert stage.router.released == [LEASE]


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


async def test_what_a_reader_does_not_read_is_bounded(stage: Stage) -> None:
    script = stage.generators[0]
    script.steps = ["x" * 262_144] * 250
    await stage.start()
    async with sdk(stage) as client:
        stream = await client.chat.completions.create(**STREAM)
        async for _ in stream:
            break
        await asyncio.wait_for(script.cancelled.wait(), 20)
        # What is on its way through sockets and between two processes comes to what waits in the edge.
        assert script.played_bytes < 262_144 * 250
        await stream.close()


async def test_what_a_slow_reader_gets_is_whole_and_in_order(stage: Stage) -> None:
    texts = [f"{number}," + "x" * 16_384 for number in range(400)]
    stage.generators[0].steps = [*texts]
    await stage.start()
    got = []
    async with sdk(stage) as client:
        async for chunk in await client.chat.completions.create(**STREAM):
            got.append(chunk.choices[0].delta.content or "")
            if len(got) % 20 == 0:
                await asyncio.sleep(0.005)
    assert "".join(got) == "".join(texts)


async def test_a_client_that_stops_reading_is_given_up(stage: Stage) -> None:
    script = stage.generators[0]
    script.steps = ["x" * 262_144] * 250
    client = await stage.start(write_seconds=0.2)
    assert stage.process is not None
    listener = stage.process._listener
    _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
    request = client.build_request("POST", PATH, json=STREAM)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    writer.write(f"POST {PATH} HTTP/1.1\r\n{head}\r\n".encode() + request.content)
    await asyncio.wait_for(script.cancelled.wait(), 20)
    async with asyncio.timeout(5):
        while listener.connections:  # noqa: ASYNC110 - the listener tells nobody
            await asyncio.sleep(0.01)
    await stage.drain()
    writer.close()
    (event,) = stage.emitter.events
    assert event.is_client_cancelled
    assert event.reason == int(Reason.CLIENT_CANCELLED)
    assert event.http_status == 200


async def test_a_client_that_reads_again_within_its_time_gets_the_whole_answer(stage: Stage) -> None:
    script = stage.generators[0]
    script.steps = [*["x" * 16_384] * 160, asyncio.Event(), "end"]
    client = await stage.start(write_seconds=0.2, ping_seconds=0.05)
    pings = 0
    async with client.stream("POST", PATH, json=STREAM) as answer:
        async for line in answer.aiter_lines():
            pings += line == ": ping"
            if pings == 6:
                script.steps[160].set()  # type: ignore[union-attr] # the event of above
    assert line == ""
    await stage.drain()
    assert not stage.emitter.events[0].is_client_cancelled


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


async def test_small_writes_are_not_held_back_by_the_kernel(stage: Stage) -> None:
    client = await stage.start()
    await client.get("/healthz")
    assert stage.process is not None
    (connection,) = stage.process._listener._server._registry._members
    accepted = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_connection_serves_one_request_after_another(stage: Stage) -> None:
    await stage.start()
    limits = httpx.Limits(max_connections=1)
    headers = {"authorization": f"Bearer {GOOD_KEY}"}
    async with httpx.AsyncClient(base_url=stage.url, limits=limits, headers=headers) as client:
        for is_streamed in (True, False, True):
            answer = await client.post(PATH, json=CHAT | {"stream": is_streamed})
            assert answer.status_code == 200
    await stage.drain()
    assert len(stage.emitter.events) == 3
    assert not any(event.is_client_cancelled for event in stage.emitter.events)


async def test_a_connection_goes_on_after_errors(stage: Stage) -> None:
    await stage.start()
    assert stage.process is not None
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(base_url=stage.url, limits=limits) as client:
        good = {"authorization": f"Bearer {GOOD_KEY}"}
        for method, path, body, headers, status in [
            ("GET", "/v1/models", None, {}, 401),
            ("POST", PATH, {"model": 1}, good, 400),
            ("GET", PATH, None, good, 405),
            ("OPTIONS", PATH, None, good, 405),
            ("HEAD", "/healthz", None, {}, 200),
            ("GET", "/nowhere", None, {}, 404),
            ("POST", PATH, CHAT, good, 200),
        ]:
            answer = await client.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.headers.get("connection")) == (status, None)
            assert stage.process._listener.connections == 1


async def test_an_offer_to_upgrade_the_protocol_is_ignored(stage: Stage) -> None:
    client = await stage.start()
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABk"}
    answer = await client.post(PATH, json=CHAT, headers=offer)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "Bonjour !"


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["whole", "streamed"])
async def test_no_text_leaves_before_the_admission_is_durable(stage: Stage, body: dict[str, object]) -> None:
    stage.router.record_gate = asyncio.Event()
    client = await stage.start()
    asked = asyncio.create_task(client.post(PATH, json=body))
    await asyncio.wait_for(stage.generators[0].has_played.wait(), 5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asked), 0.2)
    stage.router.record_gate.set()
    answer = await asyncio.wait_for(asked, 5)
    assert answer.status_code == 200
    assert "Bon" in answer.text


@pytest.mark.parametrize("body", [CHAT, STREAM], ids=["whole", "streamed"])
async def test_a_request_whose_admission_is_not_durable_is_refused_and_its_generation_stopped(
    stage: Stage, body: dict[str, object]
) -> None:
    stage.router.record_refusal = ComptoirError(Reason.USAGE_NOT_RECORDED)
    stage.generators[0].steps = ["secret", asyncio.Event()]
    client = await stage.start()
    answer = await client.post(PATH, json=body)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "usage_not_recorded"
    assert "secret" not in answer.text
    await asyncio.wait_for(stage.generators[0].cancelled.wait(), 5)
    assert stage.router.released == []


@pytest.fixture
def held(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage whose router holds what is asked of it; the edge tells clients so at once."""
    monkeypatch.setattr(watches, "_SILENT_SECONDS", 0.02)
    monkeypatch.setattr(watches, "_NOTICE_SECONDS", 0.02)
    stage.router.hold = asyncio.Event()
    return stage


async def _admit_after(stage: Stage, comments: int, lines: AsyncIterator[str]) -> list[str]:
    """Reads a stream, and lets the router answer once that many comments have come."""
    read = []
    async for line in lines:
        read.append(line)
        if read.count(": waiting") == comments and stage.router.hold is not None:
            stage.router.hold.set()
    return read


async def test_a_stream_that_waits_for_its_admission_has_headers_and_comments(held: Stage) -> None:
    client = await held.start()
    async with client.stream("POST", PATH, json=STREAM) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert len(answer.headers["x-request-id"]) == 32
        lines = await _admit_after(held, 3, answer.aiter_lines())
    assert lines[:3] == [": waiting"] * 3
    assert sum(line.startswith("data: {") for line in lines) == 5
    assert lines[-2] == "data: [DONE]"
    assert lines.count(": waiting") <= 5, "none behind the admission"


async def test_a_refusal_after_a_wait_is_told_in_the_stream(held: Stage) -> None:
    held.router.refusal = ComptoirError(Reason.NO_REPLICA, retry_after_seconds=1.0)
    client = await held.start()
    async with client.stream("POST", PATH, json=STREAM) as answer:
        assert answer.status_code == 200
        lines = await _admit_after(held, 1, answer.aiter_lines())
    assert sum('"code":"no_replica"' in line for line in lines) == 1
    assert lines[-2] == "data: [DONE]"
    await held.drain()
    assert held.emitter.events[0].reason == int(Reason.NO_REPLICA)


async def test_a_refusal_before_that_keeps_its_status(stage: Stage) -> None:
    stage.router.refusal = ComptoirError(Reason.NO_REPLICA, retry_after_seconds=1.0)
    client = await stage.start()
    answer = await client.post(PATH, json=STREAM)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_whole_answer_waits_without_headers(held: Stage) -> None:
    client = await held.start()
    asking = asyncio.create_task(client.post(PATH, json=CHAT))
    _, pending = await asyncio.wait({asking}, timeout=0.2)
    assert pending
    assert held.router.hold is not None
    held.router.hold.set()
    answer = await asking
    assert answer.status_code == 200
    assert answer.headers["x-ratelimit-limit-requests"] == "60"


@pytest.mark.parametrize("request_body", [STREAM, CHAT], ids=["stream", "whole"])
async def test_a_client_that_leaves_while_its_request_is_held_ends_the_hold(
    held: Stage, request_body: dict[str, object]
) -> None:
    client = await held.start()
    asking = asyncio.create_task(client.post(PATH, json=request_body))
    await until(lambda: bool(held.router.request_ids), 5)
    asking.cancel()
    await asyncio.wait({asking})
    await asyncio.wait_for(held.router.is_left.wait(), 5)
    await held.drain()
    assert held.emitter.events[0].is_client_cancelled


async def test_a_stream_whose_replica_is_lost_before_any_text_goes_on_with_another_one(stage: Stage) -> None:
    stage.router.addresses_in_turn = [[address] for address in stage.router.addresses[:2]]
    stage.generators[0].steps = [ComptoirError(Reason.UNAVAILABLE)]
    client = await stage.start(unreachable_seconds=10)
    answer = await client.post(PATH, json=STREAM)
    assert answer.text.count('"role":"assistant"') == 1
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "error" not in answer.text
    assert len(stage.router.request_ids) == 2
