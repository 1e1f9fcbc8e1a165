"""Many batches on one stream: each is durable or refused by itself."""

import asyncio
from typing import Any

import pytest
from comptoir.emitter.v1.emitter_pb2 import RecordManyRequest, RecordRequest

from services.contract.events import Kind
from services.emitter.domain.ports import Taken
from services.emitter.server.joined import JoinedRecords
from services.kernel.errors import Reason
from tests.fakes.emitter_ports import MemorySpool
from tests.fakes.joined import heard, joined_streams
from tests.services.emitter.requests import generation, one_of_each
from tests.services.emitter.server.test_recording import Stub, clock, healths, servicer, spool, stub

__all__ = ["clock", "healths", "servicer", "spool", "stub"]


async def said(stream: Any, count: int) -> dict[int, Any]:
    results = [await asyncio.wait_for(stream.read(), 5) for _ in range(count)]
    return {result.call_number: result for result in results}


async def test_each_batch_is_answered_by_its_number(stub: Stub, spool: MemorySpool) -> None:
    stream, request = stub.RecordMany(), one_of_each()
    for number in (4, 7):
        await stream.write(RecordManyRequest(call_number=number, request=request))
    results = await said(stream, 2)
    assert results[4].recorded.accepted == len(Kind)
    assert results[7].recorded.duplicates == len(Kind)
    assert spool.state.events == len(Kind)
    stream.cancel()


async def test_a_batch_that_is_refused_stops_no_other(stub: Stub, spool: MemorySpool) -> None:
    stream = stub.RecordMany()
    bad = RecordRequest(generations=[generation(outcome=0)])
    await stream.write(RecordManyRequest(call_number=1, request=bad))
    await stream.write(RecordManyRequest(call_number=2, request=one_of_each()))
    results = await said(stream, 2)
    refusal = heard(results[1].refused)
    assert (refusal.reason, refusal.field) == (Reason.REQUEST_INVALID, "generations.outcome")
    assert results[2].recorded.accepted == len(Kind)
    assert spool.state.events == len(Kind)
    stream.cancel()


@pytest.mark.parametrize(("reads_others", "messages"), [(True, [{1, 2, 3}]), (False, [{1}, {2}, {3}])])
async def test_batches_of_one_commit_are_answered_together_to_who_reads_that(
    *, reads_others: bool, messages: list[set[int]]
) -> None:
    commit: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
    records = JoinedRecords(joined_streams(), lambda _: commit)
    for number in (1, 2, 3):
        records.receive(RecordManyRequest(call_number=number, reads_others=reads_others))
    assert records.outgoing() is None
    commit.set_result(Taken(1, 0))
    await asyncio.sleep(0)
    said = list[set[int]]()
    while (message := records.outgoing()) is not None:
        assert {each.recorded.accepted for each in (message, *message.others)} == {1}
        said.append({message.call_number, *(other.call_number for other in message.others)})
    assert sorted(said, key=min) == messages
