"""A router starts ready, drains, leaves no socket, and knows its keys again after it was killed."""

import asyncio
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.kernel.clock import ManualClock
from services.router.process import Router
from services.router.settings import RouterSettings
from services.runtime.addresses import CallerListen, GrpcListen
from services.runtime.grpc.server import channel
from services.runtime.process import live
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


async def test_callers_may_read_its_schema_and_only_where_callers_call(running: RunningRouter) -> None:
    async def services(listen: GrpcListen) -> list[str]:
        async with channel(listen) as open_channel:
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            stub = reflection_pb2_grpc.ServerReflectionStub(open_channel)
            answers = [answer async for answer in stub.ServerReflectionInfo([request], timeout=WAIT_SECONDS)]
            return [service.name for service in answers[0].list_services_response.service]

    settings = running.settings
    assert "comptoir.router.v1.RouterService" in await services(settings.listen)
    for guarded in (settings.replica_listen, settings.admin_listen):
        async with channel(guarded) as open_channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(open_channel)
            # Without a message: one that is written after the refusal has come hides it.
            refused = stub.ServerReflectionInfo(timeout=WAIT_SECONDS)
            assert await refused.code() is grpc.StatusCode.UNIMPLEMENTED


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
    assert not (running.settings.pepper_file.parent / "admin").exists()


async def test_a_second_router_gives_way_and_leaves_the_first_ones_socket(running: RunningRouter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as first:
        listen = CallerListen(address=f"127.0.0.1:{first.getsockname()[1]}")
        second = Router(running.settings.model_copy(update={"listen": listen}), MemoryLog(), ManualClock())
        with pytest.raises(SettingsError, match="is taken"):
            await asyncio.wait_for(live(second, asyncio.Event()), WAIT_SECONDS)
    await running.key()


@pytest.mark.parametrize("name", ["pepper", "signing-key"])
def test_a_secret_of_the_wrong_length_is_refused_by_the_name_of_its_file(
    router_settings: RouterSettings, name: str
) -> None:
    (router_settings.pepper_file.parent / name).write_text("abcd")
    with pytest.raises(SettingsError, match=f"secret file {name} must hold 32 bytes"):
        Router(router_settings, MemoryLog(), ManualClock())
