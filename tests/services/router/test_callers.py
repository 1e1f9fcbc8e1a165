"""Over TLS a generator registers with its own number only, and only those of a list call at all."""

import asyncio
from pathlib import Path

import grpc
import pytest
from comptoir.router.v1 import replica_pb2, replica_pb2_grpc
from keda.externalscaler import externalscaler_pb2_grpc
from keda.externalscaler.externalscaler_pb2 import ScaledObjectRef

from services.kernel.errors import Reason
from services.router.settings import RouterSettings
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from tests.fakes.running_router import (
    WAIT_SECONDS,
    ReportStream,
    refused,
    registration_message,
    running_router,
    settings_in,
)
from tests.ports import free_port
from tests.services.runtime.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def settings(tmp_path: Path, authority: Authority) -> RouterSettings:
    listen = {
        "address": f"127.0.0.1:{free_port()}",
        "tls": authority.files("router").model_dump(),
        "callers": {"ReplicaService": ["generator-*"]},
    }
    return settings_in(tmp_path, replica_listen=listen)


async def registering(settings: RouterSettings, authority: Authority, name: str) -> Reason | None:
    target = GrpcTarget(address=settings.replica_listen.address, tls=authority.files(name))
    async with channel(target) as connection:
        stub: replica_pb2_grpc.ReplicaServiceAsyncStub = replica_pb2_grpc.ReplicaServiceStub(connection)
        await asyncio.wait_for(connection.channel_ready(), WAIT_SECONDS)
        stream = ReportStream(stub.Report())
        saying = stream.say(registration=registration_message(replica=7), load=replica_pb2.Load())
        if name != "generator-7":
            return (await refused(saying)).reason
        await saying
        return None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("generator-7", None),
        ("generator-8", Reason.CALLER_NOT_ALLOWED),
    ],
    ids=["its own number", "another's number"],
)
async def test_a_replica_registers_with_the_number_of_its_certificate(
    settings: RouterSettings, authority: Authority, name: str, reason: Reason | None
) -> None:
    async with running_router(settings, authority.files("generator-1")):
        assert await registering(settings, authority, name) is reason


async def test_who_is_no_generator_is_refused_before_it_says_anything(
    settings: RouterSettings, authority: Authority
) -> None:
    target = GrpcTarget(address=settings.replica_listen.address, tls=authority.files("edge"))
    async with running_router(settings, authority.files("generator-1")), channel(target) as connection:
        stub: replica_pb2_grpc.ReplicaServiceAsyncStub = replica_pb2_grpc.ReplicaServiceStub(connection)
        await asyncio.wait_for(connection.channel_ready(), WAIT_SECONDS)
        # Nothing is written: gRPC may call a write that meets the refusal an internal error.
        assert (await ReportStream(stub.Report()).ended()).reason is Reason.CALLER_NOT_ALLOWED


@pytest.mark.parametrize("name", ["keda-operator", "edge"])
async def test_who_is_not_keda_is_not_told_how_models_are_scaled(
    tmp_path: Path, authority: Authority, name: str
) -> None:
    address = f"127.0.0.1:{free_port()}"
    listen = {
        "address": address,
        "tls": authority.files("router").model_dump(),
        "callers": {"ExternalScaler": ["keda-operator"]},
    }
    settings = settings_in(tmp_path, scaler_listen=listen, scaling=[{"model": "tiny-eu"}])
    target = GrpcTarget(address=address, tls=authority.files(name))
    object_ = ScaledObjectRef(name="generator", scalerMetadata={"model": "tiny-eu"})
    async with running_router(settings), channel(target) as connection:
        stub: externalscaler_pb2_grpc.ExternalScalerAsyncStub
        stub = externalscaler_pb2_grpc.ExternalScalerStub(connection)
        asking = stub.IsActive(object_, timeout=WAIT_SECONDS, wait_for_ready=True)
        if name == "keda-operator":
            assert (await asking).result
        else:
            assert (await refused(asking)).reason is Reason.CALLER_NOT_ALLOWED


async def test_nobody_registers_where_requests_are_admitted(tmp_path: Path) -> None:
    async with (
        running_router(settings_in(tmp_path)) as running,
        channel(GrpcTarget(address=running.settings.listen.address)) as public,
    ):
        stub: replica_pb2_grpc.ReplicaServiceAsyncStub = replica_pb2_grpc.ReplicaServiceStub(public)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await asyncio.wait_for(stub.Report().read(), WAIT_SECONDS)
        assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED
