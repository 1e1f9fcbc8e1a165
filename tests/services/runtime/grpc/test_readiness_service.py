"""A supervisor can ask a process why it is not ready, and since when."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from comptoir.readiness.v1 import readiness_pb2, readiness_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.kernel.clock import ManualClock
from services.kernel.readiness import READY, Figure, Readiness, Unready, unready
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.readiness_client import ask_readiness
from services.runtime.grpc.readiness_service import ReadinessServicer
from services.runtime.grpc.server import GrpcServer, build_server, channel


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock"


@pytest.fixture
async def server(clock: ManualClock, address: str) -> AsyncIterator[GrpcServer]:
    running = build_server(GrpcListen(address=address), clock=clock)
    await running.start()
    yield running
    await running.server.stop(0)


async def ask(address: str) -> Readiness:
    async with channel(GrpcTarget(address=address)) as connection:
        return await ask_readiness(connection, timeout_seconds=5)


async def is_serving(address: str) -> bool:
    async with channel(GrpcTarget(address=address)) as connection:
        answer = await health_pb2_grpc.HealthStub(connection).Check(
            health_pb2.HealthCheckRequest(), timeout=5
        )
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def test_a_process_that_was_never_ready_is_starting(server: GrpcServer, address: str) -> None:
    assert (await ask(address)).reason is Unready.STARTING


async def test_it_says_why_it_is_not_ready_and_since_when(
    server: GrpcServer, clock: ManualClock, address: str
) -> None:
    await server.set_readiness(READY)
    clock.advance(5)
    began = clock.wall_microseconds()
    await server.set_readiness(unready(Unready.CLOCK_BEHIND, {Figure.OFFSET_SECONDS: 86_400}))
    clock.advance(7)
    await server.set_readiness(unready(Unready.CLOCK_BEHIND, {Figure.OFFSET_SECONDS: 86_401}))
    told = await ask(address)
    assert told == Readiness(False, Unready.CLOCK_BEHIND, {Figure.OFFSET_SECONDS: 86_401}, began)
    assert not await is_serving(address)


async def test_a_ready_process_may_tell_numbers_too(server: GrpcServer, address: str) -> None:
    await server.set_readiness(Readiness(is_ready=True, figures={Figure.WAITING_FRAMES: 3}))
    told = await ask(address)
    assert told.is_ready
    assert told.figures == {Figure.WAITING_FRAMES: 3}
    assert await is_serving(address)


async def test_who_was_ready_and_gives_no_reason_is_not_starting(server: GrpcServer, address: str) -> None:
    await server.set_serving(is_serving=True)
    await server.set_serving(is_serving=False)
    assert (await ask(address)).reason is Unready.UNSPECIFIED


async def test_a_process_that_is_away_is_an_error_within_the_time_given(tmp_path: Path) -> None:
    async with channel(GrpcTarget(address=f"unix:{tmp_path}/nobody.sock")) as connection:
        with pytest.raises(grpc.aio.AioRpcError):
            await ask_readiness(connection, timeout_seconds=0.5)


async def test_what_a_newer_process_says_is_read_as_far_as_it_is_known(address: str) -> None:
    class Newer(ReadinessServicer):
        async def GetReadiness(  # noqa: N802 - the name is the schema's
            self, request: object, context: object
        ) -> readiness_pb2.GetReadinessResponse:
            # Field 2 is 999, and one figure has the name 999, as a later build would write them.
            newer = bytes.fromhex("10e707220508e7071001220408041002")
            return readiness_pb2.GetReadinessResponse.FromString(newer)

    server = grpc.aio.server()
    readiness_pb2_grpc.add_ReadinessServiceServicer_to_server(Newer(ManualClock()), server)
    server.add_insecure_port(address)
    await server.start()
    told = await ask(address)
    await server.stop(0)
    assert told == Readiness(False, Unready.UNSPECIFIED, {Figure.KIND: 2})
