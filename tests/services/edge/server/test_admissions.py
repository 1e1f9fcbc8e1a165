"""What a client sees of an admission that takes long, is recorded late, or is tried again."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.edge.server.http import watches
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.engine_requests import until
from tests.services.edge.conftest import CHAT, PATH, STREAM, Stage


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
    held.router.refusal.transfer_record, held.router.refusal.home_region = 7, 4
    client = await held.start()
    async with client.stream("POST", PATH, json=STREAM) as answer:
        assert answer.status_code == 200
        lines = await _admit_after(held, 1, answer.aiter_lines())
    assert sum('"code":"no_replica"' in line for line in lines) == 1
    assert lines[-2] == "data: [DONE]"
    await held.drain()
    assert held.emitter.events[0].reason == int(Reason.NO_REPLICA)
    assert (held.emitter.events[0].transfer_record, held.emitter.events[0].home_region) == (7, 4)


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
