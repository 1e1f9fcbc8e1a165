"""Events are handed over together, again until they are durable, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from comptoir.emitter.v1 import emitter_pb2
from comptoir.usage.v1 import usage_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.runtime import emitter_client
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.emitter_client import MAX_EVENTS, EmitterClient, _take, _Waiting
from services.runtime.event_messages import by_kind
from tests.services.emitter.requests import one_of_each, replica_load
from tests.services.runtime.running import Disagreement, Emitter, Gate, serving


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/e.sock"


@pytest.fixture
async def emitter(address: str) -> AsyncIterator[Emitter]:
    emitter = Emitter()
    async with serving(GrpcListen(address=address), emitter=emitter):
        yield emitter


@pytest.fixture
async def client(address: str) -> AsyncIterator[EmitterClient]:
    client = EmitterClient(GrpcTarget(address=address), clock=SystemClock(), wait_seconds=5.0)
    yield client
    await client.close()


def load(number: int) -> usage_pb2.ReplicaLoad:
    return replica_load(event_id_low=number)


def numbers(emitter: Emitter) -> list[list[int]]:
    return [[sample.event_id_low for sample in sent.replica_loads] for sent in emitter.requests]


async def test_calls_made_meanwhile_travel_together(emitter: Emitter, client: EmitterClient) -> None:
    emitter.answer = gate = Gate()
    first = asyncio.create_task(client.record(load(0)))
    await asyncio.wait_for(gate.reached.wait(), 5)
    others = [asyncio.create_task(client.record(load(n))) for n in range(1, 6)]
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.wait_for(asyncio.gather(first, *others), 5)
    assert numbers(emitter) == [[0], [1, 2, 3, 4, 5]]


async def test_two_batches_are_on_their_way_at_once_and_the_rest_waits_to_travel_together(
    emitter: Emitter, client: EmitterClient
) -> None:
    emitter.answer = gate = Gate()
    calls = list[asyncio.Task[None]]()
    for sent in (1, 2):
        calls.append(asyncio.create_task(client.record(load(sent))))
        async with asyncio.timeout(5):
            while len(emitter.requests) < sent:  # noqa: ASYNC110 - what is waited for is gRPC's doing
                await asyncio.sleep(0.001)
    calls += [asyncio.create_task(client.record(load(number))) for number in range(3, 7)]
    await asyncio.sleep(0)
    assert len(client._senders) == 2
    gate.opened.set()
    await asyncio.wait_for(asyncio.gather(*calls), 5)
    assert numbers(emitter) == [[1], [2], [3, 4, 5, 6]]


async def test_an_emitter_that_was_away_gets_the_events_when_it_is_back(
    address: str, client: EmitterClient
) -> None:
    recording = asyncio.create_task(client.record(load(1)))
    await asyncio.sleep(0)
    emitter = Emitter()
    async with serving(GrpcListen(address=address), emitter=emitter):
        await asyncio.wait_for(recording, 5)
    assert numbers(emitter) == [[1]]


@pytest.mark.parametrize("reason", [Reason.UNAVAILABLE, Reason.SPOOL_FULL])
async def test_a_refusal_that_may_pass_is_tried_again(
    emitter: Emitter, client: EmitterClient, reason: Reason
) -> None:
    async def twice(_request: object) -> None:
        if len(emitter.requests) < 3:
            raise ComptoirError(reason)

    emitter.answer = twice
    await asyncio.wait_for(client.record(load(1)), 5)
    assert numbers(emitter) == [[1]] * 3


async def test_an_emitter_that_stays_away_is_a_clean_error_in_time(address: str) -> None:
    client = EmitterClient(GrpcTarget(address=address), clock=SystemClock(), wait_seconds=0.2)
    started = asyncio.get_running_loop().time()
    records = [client.record(load(n)) for n in range(3)]
    ends = await asyncio.wait_for(asyncio.gather(*records, return_exceptions=True), 5)
    assert [end.reason for end in ends if isinstance(end, ComptoirError)] == [Reason.USAGE_NOT_RECORDED] * 3
    assert asyncio.get_running_loop().time() - started < 3
    await client.close()


async def test_an_emitter_that_hangs_is_a_clean_error_in_time_for_all_that_queue(
    emitter: Emitter, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emitter_client, "MAX_EVENTS", 1)
    emitter.answer = Gate()
    client = EmitterClient(GrpcTarget(address=address), clock=SystemClock(), wait_seconds=0.3)
    started = asyncio.get_running_loop().time()
    records = [client.record(load(n)) for n in range(20)]
    ends = await asyncio.wait_for(asyncio.gather(*records, return_exceptions=True), 5)
    assert [end.reason for end in ends if isinstance(end, ComptoirError)] == [Reason.USAGE_NOT_RECORDED] * 20
    assert asyncio.get_running_loop().time() - started < 2
    await client.close()


async def test_a_refused_event_fails_its_own_caller_only(emitter: Emitter, client: EmitterClient) -> None:
    emitter.answer = gate = Gate()
    first = asyncio.create_task(client.record(load(0)))
    await asyncio.wait_for(gate.reached.wait(), 5)

    async def refuse_seven(request: emitter_pb2.RecordRequest) -> None:
        if any(sample.event_id_low == 7 for sample in request.replica_loads):
            raise ComptoirError(Reason.REQUEST_INVALID, field="replica_loads")

    calls = [asyncio.create_task(client.record(load(n))) for n in (6, 7, 8)]
    await asyncio.sleep(0)
    emitter.answer = refuse_seven
    gate.opened.set()
    ends = await asyncio.wait_for(asyncio.gather(first, *calls, return_exceptions=True), 5)
    assert [end.reason if isinstance(end, ComptoirError) else end for end in ends] == [
        None,
        None,
        Reason.REQUEST_INVALID,
        None,
    ]


async def test_an_event_that_is_not_taken_now_for_what_it_is_stops_no_other(
    emitter: Emitter, client: EmitterClient
) -> None:
    emitter.answer = disagreement = Disagreement(3, 7)
    held = [asyncio.create_task(client.record(load(n))) for n in (3, 7)]
    others = [client.record(load(n)) for n in (1, 2, 4, 5, 6, 8)]
    await asyncio.wait_for(asyncio.gather(*others), 5)
    await asyncio.wait_for(client.record(load(9)), 5)
    assert not any(task.done() for task in held)
    disagreement.refused = {7}
    await asyncio.wait_for(held[0], 5)
    disagreement.refused = set()
    await asyncio.wait_for(held[1], 5)
    assert sorted(disagreement.taken) == list(range(1, 10))


async def test_an_event_that_is_held_too_long_is_a_clean_error_and_is_said_once(
    emitter: Emitter, address: str
) -> None:
    emitter.answer = Disagreement(*range(40))
    client = EmitterClient(GrpcTarget(address=address), clock=SystemClock(), wait_seconds=1.5)
    with structlog.testing.capture_logs() as lines:
        records = [client.record(load(n)) for n in range(40)]
        ends = await asyncio.wait_for(asyncio.gather(*records, return_exceptions=True), 10)
    assert {str(end) for end in ends} == {"USAGE_NOT_RECORDED"}
    assert [line["field"] for line in lines if line["event"] == "events_held"] == [
        "replica_loads.schema_version"
    ]
    await client.close()


async def test_an_event_that_is_refused_for_good_is_said_with_its_reason(
    emitter: Emitter, client: EmitterClient
) -> None:
    async def refuse(_request: object) -> None:
        raise ComptoirError(Reason.REQUEST_INVALID, field="replica_loads.region")

    emitter.answer = refuse
    with structlog.testing.capture_logs() as lines, pytest.raises(ComptoirError, match="REQUEST_INVALID"):
        await asyncio.wait_for(client.record(load(1)), 5)
    said = [(line["reason"], line["count"]) for line in lines if line["event"] == "events_refused"]
    assert said == [("REQUEST_INVALID", 1)]


async def test_a_caller_that_leaves_takes_no_events_with_it(emitter: Emitter, client: EmitterClient) -> None:
    emitter.answer = gate = Gate()
    first = asyncio.create_task(client.record(load(0)))
    await asyncio.wait_for(gate.reached.wait(), 5)
    leaving = asyncio.create_task(client.record(load(1)))
    staying = asyncio.create_task(client.record(load(2)))
    await asyncio.sleep(0)
    first.cancel()
    leaving.cancel()
    await asyncio.gather(first, leaving, return_exceptions=True)
    gate.opened.set()
    await asyncio.wait_for(staying, 5)
    assert numbers(emitter) == [[0], [1, 2]]


async def test_a_call_that_the_emitter_broke_off_is_tried_again(
    emitter: Emitter, client: EmitterClient
) -> None:
    async def break_off_once(_request: object) -> None:
        if len(emitter.requests) == 1:
            raise ComptoirError(Reason.CLIENT_CANCELLED)

    emitter.answer = break_off_once
    await asyncio.wait_for(client.record(load(1)), 5)
    assert numbers(emitter) == [[1], [1]]


async def test_a_defect_of_the_sender_hangs_nobody_and_the_next_call_works(
    emitter: Emitter, client: EmitterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_batch: object) -> Any:
        raise KeyError("defect")

    with monkeypatch.context() as patched:
        patched.setattr(client, "_send", broken)
        ends = await asyncio.wait_for(
            asyncio.gather(*(client.record(load(n)) for n in range(3)), return_exceptions=True),
            5,
        )
    assert [end.reason for end in ends if isinstance(end, ComptoirError)] == [Reason.USAGE_NOT_RECORDED] * 3
    await asyncio.wait_for(client.record(load(9)), 5)
    assert numbers(emitter) == [[9]]


async def test_a_sender_that_is_cancelled_hangs_nobody(emitter: Emitter, client: EmitterClient) -> None:
    emitter.answer = gate = Gate()
    calls = [asyncio.create_task(client.record(load(n))) for n in range(3)]
    await asyncio.wait_for(gate.reached.wait(), 5)
    (sender,) = client._senders
    sender.cancel()
    ends = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)
    assert all(isinstance(end, ComptoirError) for end in ends)
    gate.opened.set()


async def test_after_close_there_is_an_error_and_no_hang(emitter: Emitter, address: str) -> None:
    client = EmitterClient(GrpcTarget(address=address), clock=SystemClock(), wait_seconds=1.0)
    await client.record(load(1))
    await client.close()
    with pytest.raises(ComptoirError, match="USAGE_NOT_RECORDED"):
        await asyncio.wait_for(client.record(load(2)), 5)


async def test_all_kinds_travel_in_one_request(emitter: Emitter, client: EmitterClient) -> None:
    each = one_of_each()
    await client.record(*(event for _, events in by_kind(each) for event in events))
    assert emitter.requests == [each]


@given(sizes=st.lists(st.integers(0, MAX_EVENTS), max_size=30))
def test_a_request_never_carries_more_than_it_may_and_order_is_kept(sizes: list[int]) -> None:
    async def taken_in_turns() -> list[list[int]]:
        sample = load(1)
        queue = [
            _Waiting([sample] * size, deadline_seconds=float(number)) for number, size in enumerate(sizes)
        ]
        batches = []
        while queue:
            batch = _take(queue)
            assert batch
            assert sum(waiting.size for waiting in batch) <= MAX_EVENTS
            batches.append([int(waiting.deadline_seconds) for waiting in batch])
        return batches

    batches = asyncio.run(taken_in_turns())
    assert [number for batch in batches for number in batch] == list(range(len(sizes)))
