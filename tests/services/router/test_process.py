"""A router starts ready, drains, leaves no socket, and knows its keys again after it was killed."""

import asyncio
import socket

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.kernel.clock import ManualClock
from services.router.process import Router
from services.router.settings import RouterSettings
from services.runtime.addresses import GrpcListen
from services.runtime.grpc.server import channel
from services.runtime.settings import SettingsError
from tests.fakes.router import MemoryLog
from tests.fakes.running_router import WAIT_SECONDS, RunningRouter, admit, running_router


async def test_it_is_serving_before_any_replica_registered(running: RunningRouter) -> None:
    for listen in (
        running.settings.listen,
        running.settings.replica_listen,
        running.settings.admin_listen,
    ):
        async with channel(GrpcListen(address=listen.address)) as open_channel:
            answer = await health_pb2_grpc.HealthStub(open_channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_its_routing_serves_while_a_replica_is_ready(running: RunningRouter) -> None:
    request = health_pb2.HealthCheckRequest(service="comptoir.router.v1.RouterService")
    async with channel(running.settings.listen) as open_channel:
        changes = health_pb2_grpc.HealthStub(open_channel).Watch(request, timeout=WAIT_SECONDS)

        async def told(status: int) -> None:
            async for change in changes:
                if change.status == status:
                    return

        await told(health_pb2.HealthCheckResponse.NOT_SERVING)
        async with running.replica():
            await told(health_pb2.HealthCheckResponse.SERVING)
        await told(health_pb2.HealthCheckResponse.NOT_SERVING)
        changes.cancel()


async def test_keys_work_again_after_a_restart_once_replicas_came_back(
    router_settings: RouterSettings,
) -> None:
    async with running_router(router_settings) as running:
        api_key = await running.key()
    async with running_router(router_settings) as running, running.replica():
        assert (await running.router.Admit(admit(api_key))).key_number == 1


async def test_it_stops_when_told_with_a_stream_open(running: RunningRouter) -> None:
    async with running.replica():
        running.stop.set()
        await asyncio.wait_for(running.serving, WAIT_SECONDS)
    assert not (running.settings.database_file.parent / "admin").exists()


async def test_a_second_router_gives_way_and_leaves_the_first_ones_socket(running: RunningRouter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        listen = GrpcListen(address=f"127.0.0.1:{first.getsockname()[1]}")
        second = Router(running.settings.model_copy(update={"listen": listen}), MemoryLog(), ManualClock())
        with pytest.raises(SettingsError, match="is taken"):
            await asyncio.wait_for(second.run(asyncio.Event()), WAIT_SECONDS)
    await running.key()


@pytest.mark.parametrize("name", ["pepper", "signing-key"])
def test_a_secret_of_the_wrong_length_is_refused_by_the_name_of_its_file(
    router_settings: RouterSettings, name: str
) -> None:
    (router_settings.database_file.parent / name).write_text("abcd")
    with pytest.raises(SettingsError, match=f"secret file {name} must hold 32 bytes"):
        Router(router_settings, MemoryLog(), ManualClock())
