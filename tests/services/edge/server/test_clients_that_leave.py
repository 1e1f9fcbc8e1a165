"""What ends when a client leaves or stops reading, and what a slow reader gets."""

import asyncio

import pytest

from services.kernel.errors import Reason
from tests.services.edge.conftest import CHAT, PATH, STREAM, Stage, sdk
from tests.services.edge.scripts import LEASE


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_client_that_leaves_stops_the_replica(stage: Stage, is_streamed: bool) -> None:
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
        await asyncio.wait_for(script.has_played.wait(), 5)
    writer.close()
    # It would wait for its next step for ever.
    await asyncio.wait_for(script.cancelled.wait(), 5)
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
    await asyncio.wait_for(script.cancelled.wait(), 5)
    await stage.drain()
    assert stage.router.released == [LEASE]


async def test_what_a_reader_does_not_read_is_bounded(stage: Stage) -> None:
    script = stage.generators[0]
    # Without an end: a replica may have said all of the text before the edge has read much of it.
    script.steps = [*["x" * 262_144] * 250, asyncio.Event()]
    await stage.start(write_seconds=60)
    async with sdk(stage) as client:
        stream = await client.chat.completions.create(**STREAM)
        async for _ in stream:
            break
        await asyncio.wait_for(script.cancelled.wait(), 20)
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
    script.steps = [*["x" * 262_144] * 250, asyncio.Event()]
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


async def test_a_steady_reader_of_a_large_whole_answer_gets_all_of_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.runtime.http.connection._FLUSH_SECONDS", 0.05)
    script = stage.generators[0]
    script.steps = ["x" * 262_144] * 80
    # It reads for longer than any of these; on a busy machine it takes in nothing for half a second.
    client = await stage.start(write_seconds=2, idle_connection_seconds=1)
    got_bytes = 0
    async with client.stream("POST", PATH, json=STREAM | {"stream": False}) as answer:
        async for part in answer.aiter_raw(524_288):
            got_bytes += len(part)
            await asyncio.sleep(0.06)
    assert got_bytes == int(answer.headers["content-length"]) > 80 * 262_144
    await stage.drain()
    assert not stage.emitter.events[0].is_client_cancelled
