"""What only threads do: close from elsewhere, walk away without a word, share a client."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from comptoir.client import Client, ComptoirError, ErrorReason
from comptoir.router.v1.router_pb2 import AdmitResponse

from tests.client.stage import Stage, chat
from tests.contracts.engine_requests import until
from tests.services.edge.scripts import GOOD_KEY, LEASE, GeneratorScript

WAIT_SECONDS = 5.0


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    client = Client(stage.address, api_key=GOOD_KEY)
    yield client
    await asyncio.to_thread(client.close)


async def test_another_thread_may_end_a_request_before_a_replica_accepts_it(
    stage: Stage, client: Client
) -> None:
    script = GeneratorScript(before_started=[asyncio.Event()])
    await stage.start(script, GeneratorScript())
    generation = client.generate(**chat())
    asking = asyncio.create_task(asyncio.to_thread(list, generation))
    await asyncio.wait_for(script.has_been_asked.wait(), WAIT_SECONDS)
    generation.close()
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED
    await asyncio.wait_for(script.cancelled.wait(), WAIT_SECONDS)
    await asyncio.to_thread(client.close)
    assert stage.replicas[1].requests == []
    assert stage.script.released == [LEASE]


async def test_another_thread_may_end_an_admission(stage: Stage, client: Client) -> None:
    await stage.start(GeneratorScript())
    stage.router.gate.clear()
    generation = client.generate(**chat())
    asking = asyncio.create_task(asyncio.to_thread(list, generation))
    await asyncio.wait_for(stage.router.has_been_asked.wait(), WAIT_SECONDS)
    generation.close()
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asking, WAIT_SECONDS)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED


async def test_an_admission_is_ended_also_where_it_is_closed_the_moment_it_begins(
    stage: Stage, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.start(GeneratorScript())
    stage.router.gate.clear()
    generation = client.generate(**chat())
    router = client._connections.routers.present().stub
    admit = router.Admit

    def closed_meanwhile(*arguments: Any) -> Any:
        call = admit.future(*arguments)
        generation.close()
        return call

    monkeypatch.setattr(router, "Admit", SimpleNamespace(future=closed_meanwhile))
    with pytest.raises(ComptoirError) as raised:
        await asyncio.wait_for(asyncio.to_thread(next, generation), WAIT_SECONDS)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED


async def test_a_lease_that_comes_after_all_is_given_back(
    stage: Stage, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.start(GeneratorScript())
    generation = client.generate(**chat())
    admit = generation._admit

    def closed_meanwhile() -> AdmitResponse:
        admitted = admit()
        generation.close()
        return admitted

    monkeypatch.setattr(generation, "_admit", closed_meanwhile)
    with pytest.raises(ComptoirError) as raised:
        await asyncio.to_thread(next, generation)
    assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED
    await asyncio.to_thread(client.close)
    assert stage.replicas[0].requests == []
    assert stage.script.released == [LEASE]


async def test_calls_that_ended_hold_no_channel(stage: Stage, client: Client) -> None:
    await stage.start(GeneratorScript())

    def ask() -> None:
        client.answer(**chat())
        with client.generate(**chat()) as generation:
            next(generation)
        for _ in range(50):
            # Over before it is begun.
            with contextlib.suppress(ComptoirError):
                client.answer(**chat(timeout_seconds=0.0005))

    await asyncio.to_thread(ask)
    slots = client._connections._replicas._slots.values()
    await until(lambda: not any(slot.calls for slot in slots), WAIT_SECONDS)
    assert len(slots) == 1


async def test_an_answer_that_is_dropped_half_read_ends_at_the_replica(stage: Stage, client: Client) -> None:
    script = GeneratorScript(steps=["Bon", asyncio.Event()])
    await stage.start(script)

    def read_one() -> str:
        return next(client.generate(**chat())).text

    assert await asyncio.to_thread(read_one) == "Bon"
    gc.collect()
    await asyncio.wait_for(script.cancelled.wait(), WAIT_SECONDS)


async def test_a_for_loop_is_enough_and_the_counts_are_there_afterwards(stage: Stage, client: Client) -> None:
    await stage.start(GeneratorScript())
    generation = client.generate(**chat())
    with pytest.raises(RuntimeError):
        _ = generation.admitted

    def text() -> str:
        return "".join(delta.text for delta in generation)

    assert await asyncio.to_thread(text) == "Bonjour !"
    assert generation.finished.output_tokens == 3
    assert generation.admitted.quota.remaining_requests == 59
    assert list(generation) == []


async def test_what_is_not_whole_has_no_counts_and_does_not_end_as_if_it_were(
    stage: Stage, client: Client
) -> None:
    await stage.start(GeneratorScript(steps=["Bon", asyncio.Event()]))

    def leave() -> None:
        with client.generate(**chat()) as generation:
            next(generation)
        with pytest.raises(RuntimeError):
            _ = generation.finished
        with pytest.raises(ComptoirError) as raised:
            next(generation)
        assert raised.value.reason == ErrorReason.ERROR_REASON_CLIENT_CANCELLED

    await asyncio.to_thread(leave)


async def test_threads_share_a_client(stage: Stage, client: Client) -> None:
    await stage.start(GeneratorScript())
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(client.answer(**chat()).text)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join, WAIT_SECONDS)
    assert texts == ["Bonjour !"] * 16


async def test_the_client_is_a_context_that_closes_it(stage: Stage) -> None:
    await stage.start(GeneratorScript())

    def ask() -> Client:
        with Client(stage.address, api_key=GOOD_KEY) as client:
            assert client.answer(**chat()).text == "Bonjour !"
        return client

    closed = await asyncio.to_thread(ask)
    with pytest.raises(ComptoirError):
        closed.answer(**chat())
