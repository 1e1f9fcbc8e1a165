import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest
from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.emitter.v1.emitter_pb2_grpc import EmitterServiceStub
from comptoir.emitter.v1.emitter_pb2_grpc import add_EmitterServiceServicer_to_server as add_servicer

from services.emitter.domain.demands import Demands
from services.emitter.domain.frame import Kind
from services.emitter.domain.pseudonym import Pseudonyms
from services.emitter.server import EmitterServicer
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.clock import ManualClock
from services.runtime.errors import Reason
from services.runtime.grpc_server import build_server, channel
from services.runtime.status import error_from
from tests.contracts.spool import MAX_AGE_SECONDS, spool_file
from tests.fakes.emitter_ports import MemorySpool
from tests.services.emitter.requests import generation, one_of_each

if TYPE_CHECKING:
    from comptoir.emitter.v1.emitter_pb2_grpc import EmitterServiceAsyncStub  # in the stub file only

Stub: TypeAlias = "EmitterServiceAsyncStub"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def spool(clock: ManualClock) -> MemorySpool:
    return MemorySpool(spool_file(Path()), clock)


@pytest.fixture
async def stub(spool: MemorySpool, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Stub]:
    address = f"unix:{tmp_path}/emitter.sock"
    server = build_server(GrpcListen(address=address), clock=clock)
    servicer = EmitterServicer(spool, Pseudonyms(bytes(32), 1), Demands(region=1), clock)
    add_servicer(servicer, server.server)
    await server.start()
    async with channel(GrpcTarget(address=address)) as open_channel:
        yield EmitterServiceStub(open_channel)
    await server.drain(0)


async def refused(stub: Stub, request: RecordRequest) -> tuple[grpc.StatusCode, Reason, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stub.Record(request, timeout=5)
    error = error_from(failure.value)
    return failure.value.code(), error.reason, error.field


async def test_recorded_events_are_in_the_spool_when_the_call_returns(stub: Stub, spool: MemorySpool) -> None:
    response = await stub.Record(one_of_each(), timeout=5)
    assert (response.accepted, response.duplicates) == (4, 0)
    assert spool.state.events == 4


async def test_a_repeated_call_is_acknowledged_and_counts_nothing_twice(
    stub: Stub, spool: MemorySpool
) -> None:
    request = one_of_each()
    await stub.Record(request, timeout=5)
    response = await stub.Record(request, timeout=5)
    assert (response.accepted, response.duplicates) == (0, 4)
    assert spool.state.events == 4


async def test_a_call_that_breaks_a_rule_of_the_schema_takes_nothing(stub: Stub, spool: MemorySpool) -> None:
    request = RecordRequest(generations=[generation(), generation(outcome=0)])
    status, reason, field = await refused(stub, request)
    assert (status, reason) == (grpc.StatusCode.INVALID_ARGUMENT, Reason.REQUEST_INVALID)
    assert field == "generations.outcome"
    assert spool.state.events == 0


async def test_a_call_with_one_reserved_field_takes_nothing(stub: Stub, spool: MemorySpool) -> None:
    request = RecordRequest(generations=[generation(), generation(producer_id=3)])
    assert await refused(stub, request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        Reason.REQUEST_INVALID,
        "generations.producer_id",
    )
    assert spool.state.events == 0


async def test_an_event_that_the_store_would_refuse_is_not_acknowledged(
    stub: Stub, spool: MemorySpool
) -> None:
    request = RecordRequest(generations=[generation(), generation(region=2)])
    assert await refused(stub, request) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        Reason.REQUEST_INVALID,
        "generations.region",
    )
    assert spool.state.events == 0


async def test_a_full_spool_is_refused_as_exhausted(stub: Stub, clock: ManualClock) -> None:
    await stub.Record(one_of_each(), timeout=5)
    clock.advance(MAX_AGE_SECONDS + 1)
    status, reason, _ = await refused(stub, one_of_each())
    assert (status, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.SPOOL_FULL)


async def test_concurrent_calls_are_all_kept(stub: Stub, spool: MemorySpool) -> None:
    calls = [stub.Record(RecordRequest(generations=[generation()]), timeout=5) for _ in range(15)]
    assert {response.accepted for response in await asyncio.gather(*calls)} == {1}
    frames = await spool.frames(Kind.GENERATION, limit=10, is_draining=True)
    assert frames[-1].last_sequence == 15
