"""What only tasks do: they are cancelled, and another task closes what they read."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from comptoir.client import ComptoirError, ErrorReason
from comptoir.client.aio import Client, Generation
from comptoir.router.v1.router_pb2 import AdmitResponse

from tests.client.stage import Stage, chat
from tests.contracts.engine_requests import until
from tests.services.edge.scripts import GOOD_KEY, LEASE, GeneratorScript

WAIT_SECONDS = 5.0


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    client = Client(stage.address, api_key=GOOD_KEY)
    yield client
    await client.close()


async def texts_of(generation: Generation) -> list[str]:
    return [delta.text async for delta in generation]


async def test_a_task_that_is_cancelled_before_a_replica_accepts_gives_the_lease_back(
    stage: Stage, client: Client
) -> None:
    script = GeneratorScript(before_started=[asyncio.Event()])
    await stage.start(script, GeneratorScript())
    asking = asyncio.create_task(client.answer(**chat()))
    await asyncio.wait_for(script.has_been_asked.wait(), WAIT_SECONDS)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(script.cancelled.wait(), WAIT_SECONDS)
    await client.close()
    assert stage.replicas[1].requests == []
    assert stage.script.released == [LEASE]


async def test_a_task_that_is_cancelled_while_it_reads_stops_the_replica_and_leaves_the_lease_to_it(
    stage: Stage, client: Client
) -> None:
    script = GeneratorScript(steps=["Bon", asyncio.Event()])
    await stage.start(script)
    generation = client.generate(**chat())
    assert (await anext(generation)).text == "Bon"
    asking = asyncio.create_task(texts_of(generation))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(script.cancelled.wait(), WAIT_SECONDS)
    await client.close()
    assert stage.script.released == []


async def test_a_timeout_around_it_is_a_timeout(stage: Stage, client: Client) -> None:
    script = GeneratorScript(steps=[asyncio.Event()])
    await stage.start(script)

    async def ask_until_the_time_is_over() -> None:
        async with asyncio.timeout(WAIT_SECONDS) as bound, client.generate(**chat()) as generation:
            assert script.has_been_asked.is_set()
            bound.reschedule(asyncio.get_running_loop().time())
            await anext(generation)

    with pytest.raises(TimeoutError):
        await ask_until_the_time_is_over()
    await asyncio.wait_for(script.cancelled.wait(), WAIT_SECONDS)


@pytest.mark.parametrize("is_admitted", [True, False])
async def test_another_task_may_end_a_request_and_the_reader_is_told_and_not_cancelled(
    stage: Stage, client: Client, *, is_admitted: bool
) -> None:
    script = GeneratorScript(steps=[asyncio.Event()])
    await stage.start(script)
    if not is_admitted:
        stage.router.gate.clear()
    generation = client.generate(**chat())
    asking = asyncio.create_task(texts_of(generation))
    asked = script.has_been_asked if is_admitted else stage.router.has_been_asked
    await asyncio.wait_for(asked.wait(), WAIT_SECONDS)
    generation.close()
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED


async def test_a_lease_that_comes_after_all_is_given_back(
    stage: Stage, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.start(GeneratorScript())
    generation = client.generate(**chat())
    admit = generation._admit

    async def closed_meanwhile() -> AdmitResponse:
        admitted = await admit()
        generation.close()
        return admitted

    monkeypatch.setattr(generation, "_admit", closed_meanwhile)
    with pytest.raises(ComptoirError) as raised:
        await anext(generation)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED
    await client.close()
    assert stage.replicas[0].requests == []
    assert stage.script.released == [LEASE]


async def test_calls_that_ended_hold_no_channel(stage: Stage, client: Client) -> None:
    await stage.start(GeneratorScript())
    await client.answer(**chat())
    async with client.generate(**chat()) as generation:
        await anext(generation)
    for _ in range(20):
        with contextlib.suppress(ComptoirError):
            await client.answer(**chat(timeout_seconds=0.0005))
    slots = client._connections._replicas._slots.values()
    await until(lambda: not any(slot.calls for slot in slots), WAIT_SECONDS)
    assert len(slots) == 1


async def test_an_answer_that_is_dropped_half_read_ends_at_the_replica(stage: Stage, client: Client) -> None:
    script = GeneratorScript(steps=["Bon", asyncio.Event()])
    await stage.start(script)
    assert (await anext(client.generate(**chat()))).text == "Bon"
    await asyncio.wait_for(script.cancelled.wait(), WAIT_SECONDS)


async def test_counts_are_there_after_the_last_delta(stage: Stage, client: Client) -> None:
    await stage.start(GeneratorScript())
    async with client.generate(**chat()) as generation:
        assert generation.admitted.quota.remaining_requests == 59
        assert await texts_of(generation) == ["Bon", "jour", " !"]
        assert generation.finished.output_tokens == 3
        assert await texts_of(generation) == []


def test_a_client_may_be_made_before_there_is_a_loop() -> None:
    client = Client("127.0.0.1:8401", api_key=GOOD_KEY)
    asyncio.run(client.close())


async def test_the_client_is_a_context_that_closes_it(stage: Stage) -> None:
    await stage.start(GeneratorScript())
    async with Client(stage.address, api_key=GOOD_KEY) as client:
        assert (await client.answer(**chat())).text == "Bonjour !"
    with pytest.raises(ComptoirError):
        await client.answer(**chat())
