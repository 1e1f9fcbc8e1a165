import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import grpc
import pytest
import structlog
from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.emitter.v1.emitter_pb2_grpc import EmitterServiceStub
from comptoir.emitter.v1.emitter_pb2_grpc import add_EmitterServiceServicer_to_server as add_servicer

from services.contract.events import Kind
from services.contract.pseudonym import Pseudonyms
from services.emitter.domain.event_rules import EventRules
from services.emitter.server.recording import QUIET_SECONDS, EmitterServicer
from services.kernel.clock import ManualClock
from services.kernel.errors import Reason
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.server import build_server, channel
from services.runtime.grpc.status import error_from
from tests.contracts.spool import MAX_AGE_SECONDS, spool_file
from tests.fakes.emitter_ports import MemorySpool
from tests.fakes.joined import joined_streams
from tests.services.emitter.requests import STARTED, admission, generation, one_of_each, replica_load

if TYPE_CHECKING:
    from comptoir.emitter.v1.emitter_pb2_grpc import EmitterServiceAsyncStub  # in the stub file only

Stub: TypeAlias = "EmitterServiceAsyncStub"


class Healths(list[bool]):
    """What the emitter said of its health, in order."""

    def __call__(self, is_well: bool) -> None:
        self.append(is_well)


@pytest.fixture
def healths() -> Healths:
    return Healths()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def spool(clock: ManualClock) -> MemorySpool:
    return MemorySpool(spool_file(Path()), clock)


@pytest.fixture
def servicer(spool: MemorySpool, clock: ManualClock, healths: Healths) -> EmitterServicer:
    return EmitterServicer(
        spool,
        Pseudonyms(bytes(32), 1),
        EventRules(region=1),
        clock,
        streams=joined_streams(),
        on_health=healths,
    )


@pytest.fixture
async def stub(servicer: EmitterServicer, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Stub]:
    address = f"unix:{tmp_path}/emitter.sock"
    server = build_server(GrpcListen(address=address), clock=clock)
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
    assert (response.accepted, response.duplicates) == (len(Kind), 0)
    assert spool.state.events == len(Kind)


async def test_a_repeated_call_is_acknowledged_and_counts_nothing_twice(
    stub: Stub, spool: MemorySpool
) -> None:
    request = one_of_each()
    await stub.Record(request, timeout=5)
    response = await stub.Record(request, timeout=5)
    assert (response.accepted, response.duplicates) == (0, len(Kind))
    assert spool.state.events == len(Kind)


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


@pytest.mark.parametrize("name", ["region", "schema_version"])
async def test_an_event_of_another_program_or_region_is_not_acknowledged_and_not_lost(
    stub: Stub, spool: MemorySpool, name: str
) -> None:
    request = RecordRequest(generations=[generation(), generation(**{name: 2})])
    assert await refused(stub, request) == (
        grpc.StatusCode.UNAVAILABLE,
        Reason.USAGE_NOT_RECORDED,
        f"generations.{name}",
    )
    assert spool.state.events == 0


@pytest.mark.parametrize("off_seconds", [-7_200, 40 * 86_400])
async def test_an_emitter_whose_clock_is_wrong_refuses_for_now_and_says_that_it_is_not_well(
    stub: Stub, spool: MemorySpool, clock: ManualClock, healths: Healths, off_seconds: int
) -> None:
    right = clock.wall_microseconds()
    clock.set_wall(right + off_seconds * 1_000_000)
    request = one_of_each()
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            status, reason, field = await refused(stub, request)
        for apart in ("generations", "edge_requests", "replica_loads"):  # as producers send again
            await refused(stub, RecordRequest(**{apart: getattr(request, apart)}))
    assert (status, reason) == (grpc.StatusCode.UNAVAILABLE, Reason.USAGE_NOT_RECORDED)
    assert field == "admissions.started_at_microseconds"
    assert healths == [False]
    said = [line for line in lines if line["event"] == "producer_disagrees"]
    assert {line["offset_seconds"] for line in said} == {-off_seconds}
    assert sorted((line["kind"], line["replica"]) for line in said) == [
        ("ADMISSION", 0),
        ("EDGE_REQUEST", 0),
        ("GENERATION", 0),
        ("REPLICA_LOAD", 1),
    ]
    clock.set_wall(right)
    response = await stub.Record(request, timeout=5)
    assert (response.accepted, response.duplicates) == (len(Kind), 0)
    assert healths == [False, True]
    assert spool.state.events == len(Kind)


async def test_an_emitter_that_gets_no_more_calls_because_it_is_not_well_becomes_well_to_be_tried_again(
    stub: Stub, servicer: EmitterServicer, clock: ManualClock, healths: Healths
) -> None:
    clock.set_wall(clock.wall_microseconds() - 7_200_000_000)
    await refused(stub, one_of_each())
    turns = iter([QUIET_SECONDS - 1, 1.0])

    async def sleep(_seconds: float) -> None:
        if (seconds := next(turns, None)) is None:
            raise asyncio.CancelledError
        assert healths == [False]
        clock.advance(seconds)

    with pytest.raises(asyncio.CancelledError):
        await servicer.run_reviews(sleep)
    assert healths == [False, True]


async def test_one_producer_with_a_wrong_clock_does_not_take_a_healthy_emitter_out(
    stub: Stub, healths: Healths
) -> None:
    await stub.Record(RecordRequest(admissions=[admission()]), timeout=5)
    late = generation(replica=4, started_at_microseconds=STARTED + 7_200_000_000)
    for _ in range(3):
        _, reason, _ = await refused(stub, RecordRequest(generations=[late]))
        assert reason is Reason.USAGE_NOT_RECORDED
    assert healths == []


async def test_a_replica_whose_generations_alone_are_refused_lets_no_health_flap(
    stub: Stub, healths: Healths
) -> None:
    """One event that it cannot get rid of, or a model that the emitter's catalog has not yet."""
    poison = generation(replica=1, started_at_microseconds=STARTED - 2 * 86_400_000_000)
    for number in range(1, 4):
        samples = RecordRequest(replica_loads=[replica_load(event_id_low=number)])
        await stub.Record(samples, timeout=5)
        await refused(stub, RecordRequest(generations=[poison], replica_loads=[replica_load()]))
    assert healths == []


async def test_an_event_of_a_newer_schema_is_refused_for_now_only(stub: Stub, spool: MemorySpool) -> None:
    content = generation().SerializeToString() + b"\xb8\x3e\x07"  # field 999, a number
    newer = RecordRequest.FromString(
        b"\x12" + bytes([len(content) & 0x7F | 0x80, len(content) >> 7]) + content
    )
    assert len(newer.generations) == 1
    assert (await refused(stub, newer))[1:] == (Reason.USAGE_NOT_RECORDED, "schema_version")
    unknown_outcome = RecordRequest(generations=[generation(outcome=77)])
    assert (await refused(stub, unknown_outcome))[1:] == (Reason.USAGE_NOT_RECORDED, "generations.outcome")
    assert spool.state.events == 0


async def test_what_can_never_be_stored_is_said_with_its_reason(stub: Stub) -> None:
    with structlog.testing.capture_logs() as lines:
        await refused(stub, RecordRequest(generations=[generation(outcome=0)]))
    assert [
        (line["event"], line["reason"], line["field"]) for line in lines if line["log_level"] == "error"
    ] == [("events_refused_for_good", "REQUEST_INVALID", "generations.outcome")]


async def test_a_full_spool_is_refused_as_exhausted_and_the_emitter_is_not_well_meanwhile(
    stub: Stub, spool: MemorySpool, clock: ManualClock, healths: Healths
) -> None:
    await stub.Record(one_of_each(), timeout=5)
    clock.advance(MAX_AGE_SECONDS + 1)
    status, reason, _ = await refused(stub, one_of_each())
    assert (status, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.SPOOL_FULL)
    assert healths == [False]
    for kind in Kind:
        await spool.remove((await spool.frames(kind, limit=10, is_draining=True))[-1])
    await stub.Record(one_of_each(), timeout=5)
    assert healths == [False, True]


async def test_concurrent_calls_are_all_kept(stub: Stub, spool: MemorySpool) -> None:
    calls = [stub.Record(RecordRequest(generations=[generation()]), timeout=5) for _ in range(15)]
    assert {response.accepted for response in await asyncio.gather(*calls)} == {1}
    frames = await spool.frames(Kind.GENERATION, limit=10, is_draining=True)
    assert frames[-1].last_sequence == 15
