"""A server says whether it is ready, is bounded, and lets open calls end when it drains."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.kernel.clock import ManualClock
from services.kernel.errors import Reason
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.server import build_server, channel
from services.runtime.grpc.status import error_from
from services.runtime.settings import SettingsError
from tests.services.runtime.running import serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/s.sock"


async def health(address: str) -> int:
    async with channel(GrpcTarget(address=address)) as connection:
        answer = await health_pb2_grpc.HealthStub(connection).Check(
            health_pb2.HealthCheckRequest(), timeout=5, wait_for_ready=True
        )
    return int(answer.status)


async def idle(request: Any, context: Any) -> generator_pb2.GetLoadResponse:
    return generator_pb2.GetLoadResponse()


def stub(connection: grpc.aio.Channel) -> "generator_pb2_grpc.GeneratorServiceAsyncStub":
    return generator_pb2_grpc.GeneratorServiceStub(connection)


async def test_a_taken_address_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = build_server(GrpcListen(address=address), clock=ManualClock())
        with pytest.raises(SettingsError, match="is taken"):
            await server.start()
        await server.server.stop(0)


async def test_a_unix_socket_is_its_owners_only(tmp_path: Path) -> None:
    server = build_server(GrpcListen(address=f"unix:{tmp_path}/s"), clock=ManualClock())
    before = os.umask(0)
    try:
        await server.start()
    finally:
        os.umask(before)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    await server.drain(0)


async def test_health_follows_the_process(address: str) -> None:
    server = build_server(GrpcListen(address=address), clock=ManualClock())
    await server.start()
    assert await health(address) == NOT_SERVING
    await server.set_serving(is_serving=True)
    assert await health(address) == SERVING
    await server.set_serving(is_serving=False)
    assert await health(address) == NOT_SERVING
    await server.drain(0)


async def test_a_proxy_of_the_environment_is_not_asked_for_what_stays_on_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with channel(GrpcTarget(address="127.0.0.1:9")) as connection:
            with pytest.raises(grpc.aio.AioRpcError):
                await stub(connection).GetLoad(generator_pb2.GetLoadRequest(), timeout=5)
        with pytest.raises(BlockingIOError):
            proxy.accept()


async def test_a_drain_lets_an_open_call_end_and_takes_no_new_one(address: str) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    async def generate(request: Any, context: Any) -> Any:
        yield generator_pb2.GenerateResponse(delta=generator_pb2.Delta(text="one"))
        started.set()
        await may_end.wait()
        yield generator_pb2.GenerateResponse(delta=generator_pb2.Delta(text="two"))

    request = generator_pb2.GenerateRequest(
        ticket=ticket_pb2.SignedTicket(claims=b"x", signature=b"x" * 64, signing_key_number=1),
        messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text="x")],
    )
    async with (
        serving(GrpcListen(address=address), generate=generate, get_load=idle) as server,
        channel(GrpcTarget(address=address)) as connection,
        channel(GrpcTarget(address=address)) as other,
    ):
        call = stub(connection).Generate(request)
        texts = asyncio.create_task(_texts(call))
        await asyncio.wait_for(started.wait(), 5)
        drain = asyncio.create_task(server.drain(5))
        refused = await asyncio.wait_for(_refusal(other), 5)
        assert error_from(refused).reason in {Reason.UNAVAILABLE, Reason.CLIENT_CANCELLED}
        assert not drain.done()
        may_end.set()
        assert await asyncio.wait_for(texts, 5) == ["one", "two"]
        await asyncio.wait_for(drain, 5)


async def _refusal(connection: grpc.aio.Channel) -> grpc.aio.AioRpcError:
    while True:
        try:
            await stub(connection).GetLoad(generator_pb2.GetLoadRequest(), timeout=1)
        except grpc.aio.AioRpcError as refused:
            return refused


async def _texts(call: Any) -> list[str]:
    return [message.delta.text async for message in call]


async def test_a_drain_that_takes_too_long_ends_the_call(address: str) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def get_load(request: Any, context: Any) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with (
        serving(GrpcListen(address=address), get_load=get_load) as server,
        channel(GrpcTarget(address=address)) as connection,
    ):
        call = stub(connection).GetLoad(generator_pb2.GetLoadRequest())
        await asyncio.wait_for(started.wait(), 5)
        await asyncio.wait_for(server.drain(0.05), 5)
        await asyncio.wait_for(ended.wait(), 5)
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_messages_over_the_limit_are_refused_in_both_directions(address: str) -> None:
    async def get_load(request: Any, context: Any) -> generator_pb2.GetLoadResponse:
        return generator_pb2.GetLoadResponse()

    large = generator_pb2.GenerateRequest(
        messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text="x" * 3000)]
    )
    async with (
        serving(GrpcListen(address=address), get_load=get_load, max_receive_bytes=2000),
        channel(GrpcTarget(address=address)) as connection,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _texts(stub(connection).Generate(large))
    assert error_from(refused.value).reason is Reason.REQUEST_TOO_LARGE


async def test_a_full_server_says_try_again(address: str) -> None:
    started, may_end = asyncio.Event(), asyncio.Event()

    async def get_load(request: Any, context: Any) -> generator_pb2.GetLoadResponse:
        started.set()
        await may_end.wait()
        return generator_pb2.GetLoadResponse()

    async with (
        serving(GrpcListen(address=address), get_load=get_load, max_concurrent_calls=1),
        channel(GrpcTarget(address=address)) as connection,
    ):
        first = stub(connection).GetLoad(generator_pb2.GetLoadRequest())
        await asyncio.wait_for(started.wait(), 5)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub(connection).GetLoad(generator_pb2.GetLoadRequest(), timeout=5)
        assert error_from(refused.value).reason is Reason.UNAVAILABLE
        may_end.set()
        await first
