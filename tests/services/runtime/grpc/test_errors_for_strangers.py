"""A caller without our schema reads errors with the official client side, and finds no text in them."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import QuotaState
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.error_details import ERROR_DOMAIN
from services.runtime.grpc.server import channel
from tests.services.runtime.running import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "canary7f3a"
EXHAUSTED = ComptoirError(
    Reason.TOKENS_EXHAUSTED,
    retry_after_seconds=1.5,
    numbers=Numbers(limit=1000, requested=300, available=200),
    quota=QuotaState(limit_tokens=1000, remaining_tokens=200, reset_tokens_seconds=1.5),
)
INVALID = ComptoirError(Reason.REQUEST_INVALID, field="sampling.top_p")


def read(status: Any) -> tuple[Any, Any]:
    """What a stranger finds in a status: the reason, and when to try again."""
    info, retry = ErrorInfo(), RetryInfo()
    for detail in status.details:
        assert detail.Unpack(info) or detail.Unpack(retry), "a detail that no stranger knows"
    return info, retry


async def ended_by(error: Exception, path: Path) -> "grpc.aio.UnaryUnaryCall[Any, Any]":
    """A call to a real server, over a real connection, that ended with `error`."""

    async def fail(request: generator_pb2.GetLoadRequest, context: Any) -> Any:
        raise error

    address = f"unix:{path}/s.sock"
    async with (
        serving(GrpcListen(address=address), get_load=fail),
        channel(GrpcTarget(address=address)) as to,
    ):
        stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(to)
        call = stub.GetLoad(generator_pb2.GetLoadRequest())
        with pytest.raises(grpc.aio.AioRpcError):
            await asyncio.wait_for(call, 5)
        return call


async def test_the_official_client_reads_reason_numbers_and_when_to_try_again(tmp_path: Path) -> None:
    status = await rpc_status.aio.from_call(await ended_by(EXHAUSTED, tmp_path))
    info, retry = read(status)
    assert (status.message, info.reason, info.domain) == (
        "TOKENS_EXHAUSTED",
        "TOKENS_EXHAUSTED",
        ERROR_DOMAIN,
    )
    assert dict(info.metadata) == {"limit": "1000", "requested": "300", "available": "200"}
    assert retry.retry_delay.ToMilliseconds() == 1500


async def test_the_official_client_reads_the_field_that_broke_a_rule(tmp_path: Path) -> None:
    status = await rpc_status.aio.from_call(await ended_by(INVALID, tmp_path))
    info, retry = read(status)
    assert (info.reason, dict(info.metadata)) == ("REQUEST_INVALID", {"field": "sampling.top_p"})
    assert not retry.HasField("retry_delay")


async def test_an_unexpected_failure_says_its_type_and_nothing_else(tmp_path: Path) -> None:
    status = await rpc_status.aio.from_call(await ended_by(KeyError(CANARY), tmp_path))
    info, _ = read(status)
    assert (status.message, info.reason) == ("internal error: KeyError", "INTERNAL")
    assert CANARY not in str(status)


async def test_the_synchronous_client_reads_it_too(tmp_path: Path) -> None:

    def ask(address: str) -> Any:
        with grpc.insecure_channel(address) as to:
            with pytest.raises(grpc.RpcError) as failed:
                generator_pb2_grpc.GeneratorServiceStub(to).GetLoad(generator_pb2.GetLoadRequest(), timeout=5)
            return rpc_status.from_call(failed.value)

    async def fail(request: generator_pb2.GetLoadRequest, context: Any) -> Any:
        raise EXHAUSTED

    address = f"unix:{tmp_path}/s.sock"
    async with serving(GrpcListen(address=address), get_load=fail):
        status = await asyncio.to_thread(ask, address)
    assert read(status)[0].reason == "TOKENS_EXHAUSTED"
