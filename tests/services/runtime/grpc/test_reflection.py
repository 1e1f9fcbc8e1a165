"""A tool without stubs finds the services, reads their schema and calls them; its readers are bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from services.kernel.errors import Reason
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc import reflection
from services.runtime.grpc.reflection import MOST_READERS
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from
from tests.services.runtime.running import serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

GENERATOR = "comptoir.generator.v1.GeneratorService"
LIST = reflection_pb2.ServerReflectionRequest(list_services="")


@asynccontextmanager
async def described(path: Path) -> AsyncIterator[str]:
    """The address of a server with a generator's services and their schema."""

    async def three_running(request: generator_pb2.GetLoadRequest, context: Any) -> Any:
        return generator_pb2.GetLoadResponse(running_requests=3)

    address = f"unix:{path}/s.sock"
    async with serving(GrpcListen(address=address), get_load=three_running, is_described=True):
        yield address


def _call_without_stubs(address: str) -> tuple[list[str], Any]:
    """What the library's own client finds, and the answer of a call that is made with nothing else."""
    with grpc.insecure_channel(address) as to:
        schema = ProtoReflectionDescriptorDatabase(to)
        services = list(schema.get_services())
        method = DescriptorPool(schema).FindServiceByName(GENERATOR).methods_by_name["GetLoad"]
        request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        call = to.unary_unary(
            f"/{GENERATOR}/GetLoad",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return services, call(request(), timeout=5)


async def asked(call: Any) -> None:
    """The reader asks one question and gets its answer."""
    await asyncio.wait_for(call.write(LIST), 5)
    assert (await asyncio.wait_for(call.read(), 5)).list_services_response.service


async def test_a_client_without_stubs_finds_reads_and_calls_a_service(tmp_path: Path) -> None:
    async with described(tmp_path) as address:
        services, answer = await asyncio.wait_for(asyncio.to_thread(_call_without_stubs, address), 20)
    assert services == [
        "comptoir.generator.v1.GeneratorService",
        "comptoir.readiness.v1.ReadinessService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    ]
    assert answer.running_requests == 3


async def test_a_reader_that_stays_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reflection, "READ_SECONDS", 0.05)
    async with described(tmp_path) as address, channel(GrpcTarget(address=address)) as to:
        call: Any = reflection_pb2_grpc.ServerReflectionStub(to).ServerReflectionInfo()
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await asyncio.wait_for(call.read(), 5)
    assert error_from(failed.value).reason is Reason.DEADLINE_EXCEEDED


async def test_where_many_read_the_one_that_is_there_longest_gives_way(tmp_path: Path) -> None:
    async with described(tmp_path) as address, channel(GrpcTarget(address=address)) as to:
        stub = reflection_pb2_grpc.ServerReflectionStub(to)
        calls: list[Any] = []
        for _ in range(MOST_READERS + 1):
            calls.append(stub.ServerReflectionInfo())
            await asked(calls[-1])
        with pytest.raises(grpc.aio.AioRpcError):
            await asyncio.wait_for(calls[0].read(), 5)
        await asked(calls[1])
        for call in calls:
            call.cancel()
