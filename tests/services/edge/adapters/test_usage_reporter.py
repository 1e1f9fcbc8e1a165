import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.edge.adapters import usage_reporter
from services.edge.adapters.usage_reporter import UsageReporter
from services.edge.domain.timeline import EdgeRequest, Endpoint
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget
from services.runtime.emitter_client import EmitterClient
from tests.services.edge.neighbours import ScriptedEmitter, serve_emitter

STARTED = 1_790_000_000_000_000


def event(number: int = 1) -> EdgeRequest:
    return EdgeRequest(
        Identity(5, number), STARTED, 1.0, Endpoint.CHAT_COMPLETIONS, http_status=200, ended_seconds=1.5
    )


@pytest.fixture
async def emitter(tmp_path: Path) -> AsyncIterator[ScriptedEmitter]:
    scripted = ScriptedEmitter()
    server = await serve_emitter(scripted, tmp_path / "emitter")
    yield scripted
    scripted.gate.set()
    await server.drain(0)


def reporter(path: Path, *, max_waiting: int = 100, wait_seconds: float = 2.0) -> UsageReporter:
    target = GrpcTarget(address=f"unix:{path}")
    client = EmitterClient(target, clock=SystemClock(), wait_seconds=wait_seconds)
    return UsageReporter(client, 7, 42, max_waiting=max_waiting)


async def test_events_are_durable_when_it_is_closed(emitter: ScriptedEmitter, tmp_path: Path) -> None:
    usage = reporter(tmp_path / "emitter")
    for number in range(50):
        usage.report(event(number))
    await usage.close(within_seconds=5)
    assert sorted(each.request_id_low for each in emitter.events) == list(range(50))
    assert len({(each.event_id_high, each.event_id_low) for each in emitter.events}) == 50
    first = emitter.events[0]
    assert (first.region, first.config_digest, first.schema_version) == (7, 42, 1)
    assert first.duration_microseconds == 500_000
    assert usage.dropped == 0


async def test_events_of_a_moment_are_one_call_of_the_emitter(
    emitter: ScriptedEmitter, tmp_path: Path
) -> None:
    usage = reporter(tmp_path / "emitter")
    for number in range(10):
        usage.report(event(number))
        await asyncio.sleep(0.002)
    await usage.close(within_seconds=5)
    assert len(emitter.events) == 10
    assert emitter.calls <= 2


async def test_ten_thousand_requests_with_wrong_keys_are_few_events(
    emitter: ScriptedEmitter, tmp_path: Path
) -> None:
    usage = reporter(tmp_path / "emitter")
    for number in range(10_000):
        refused = event(number)
        refused.reason = Reason.TOO_MANY_WRONG_KEYS if number > 59 else Reason.KEY_INVALID
        refused.http_status = refused.reason.row.http_status
        usage.report(refused)
    usage.report(event(1))
    await usage.close(within_seconds=5)
    counts = [(each.http_status, each.requests, each.request_id_low) for each in emitter.events]
    assert sorted(counts) == [(200, 0, 1), (401, 60, 0), (429, 9_940, 60)]
    assert usage.dropped == 0


async def test_what_finds_no_room_is_counted(emitter: ScriptedEmitter, tmp_path: Path) -> None:
    emitter.gate.clear()
    usage = reporter(tmp_path / "emitter", max_waiting=10)
    for number in range(25):
        usage.report(event(number))
    assert usage.dropped == 15
    emitter.gate.set()
    await usage.close(within_seconds=5)
    assert len(emitter.events) == 10


async def test_without_an_emitter_closing_is_bounded_and_losses_are_counted(tmp_path: Path) -> None:
    usage = reporter(tmp_path / "nobody", wait_seconds=60)
    usage.report(event())
    await asyncio.wait_for(usage.close(within_seconds=0.1), 5)
    assert usage.dropped == 1


async def test_events_that_the_emitter_refuses_are_counted(emitter: ScriptedEmitter, tmp_path: Path) -> None:
    emitter.refusal = ComptoirError(Reason.REQUEST_INVALID, field="edge_requests.region")
    usage = reporter(tmp_path / "emitter")
    usage.report(event())
    await usage.close(within_seconds=5)
    assert usage.dropped == 1


async def test_an_event_that_is_refused_takes_no_other_with_it(
    emitter: ScriptedEmitter, tmp_path: Path
) -> None:
    emitter.refusal = ComptoirError(Reason.REQUEST_INVALID, field="edge_requests.region")
    emitter.refused_number = 3
    usage = reporter(tmp_path / "emitter")
    for number in range(8):
        usage.report(event(number))
    await usage.close(within_seconds=5)
    assert sorted(each.request_id_low for each in emitter.events) == [0, 1, 2, 4, 5, 6, 7]
    assert usage.dropped == 1


async def test_events_that_the_emitter_does_not_take_for_now_are_kept_and_sent_again_under_the_same_id(
    emitter: ScriptedEmitter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_reporter, "_FIRST_PAUSE_SECONDS", 0.01)
    emitter.refusal = ComptoirError(Reason.USAGE_NOT_RECORDED, field="edge_requests.started_at_microseconds")
    usage = reporter(tmp_path / "emitter", wait_seconds=0.1, max_waiting=10)
    for number in range(8):
        usage.report(event(number))
    for _ in range(3):
        emitter.refused.clear()
        await asyncio.wait_for(emitter.refused.wait(), 5)
    for number in range(8, 12):
        usage.report(event(number))
    assert usage.dropped == 2
    emitter.refusal = None
    await usage.close(within_seconds=5)
    assert sorted(each.request_id_low for each in emitter.events) == list(range(10))
    assert usage.dropped == 2
    ids = {(each.event_id_high, each.event_id_low) for each in emitter.seen}
    assert len(ids) == 10
