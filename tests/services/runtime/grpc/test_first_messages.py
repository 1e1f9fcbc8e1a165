"""Calls that send no request end by themselves."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc import first_messages
from services.runtime.grpc.first_messages import FirstMessages
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from
from tests.services.runtime.running import serving

# Calls with one request each, made as calls that stream theirs: over the wire both are the same.
METHODS = (
    "/comptoir.generator.v1.GeneratorService/GetLoad",
    "/comptoir.generator.v1.GeneratorService/Generate",
    "/grpc.health.v1.Health/Check",
    "/comptoir.readiness.v1.ReadinessService/GetReadiness",
)


async def _never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def _nothing() -> AsyncIterator[bytes]:
    messages: tuple[bytes, ...] = ()
    for message in messages:
        yield message


async def _one() -> AsyncIterator[bytes]:
    yield b"request"


async def test_what_came_is_given() -> None:
    assert await FirstMessages().of(_one()) == b"request"


async def test_a_call_that_ends_without_a_request_is_invalid() -> None:
    with pytest.raises(ComptoirError) as failed:
        await FirstMessages().of(_nothing())
    assert failed.value.reason is Reason.REQUEST_INVALID


async def test_a_request_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_messages, "WAIT_SECONDS", 0.01)
    with pytest.raises(ComptoirError) as failed:
        await FirstMessages().of(_never())
    assert failed.value.reason is Reason.DEADLINE_EXCEEDED


async def _silent_call(connection: grpc.aio.Channel, method: str) -> grpc.aio.AioRpcError:
    call: Any = connection.stream_stream(method)()
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await asyncio.wait_for(call.read(), timeout=20)
    return failed.value


@pytest.mark.parametrize("method", METHODS)
async def test_a_caller_that_sends_no_request_holds_no_place(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_messages, "WAIT_SECONDS", 0.05)
    address = f"unix:{tmp_path}/s.sock"
    async with (
        serving(GrpcListen(address=address), max_concurrent_calls=1),
        channel(GrpcTarget(address=address)) as connection,
    ):
        error = error_from(await _silent_call(connection, method))
        assert error.reason is Reason.DEADLINE_EXCEEDED
        # The one place is free again.
        answer = await health_pb2_grpc.HealthStub(connection).Check(
            health_pb2.HealthCheckRequest(), timeout=10
        )
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
