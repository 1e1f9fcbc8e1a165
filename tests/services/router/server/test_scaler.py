"""KEDA's five questions, asked with its own schema."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from comptoir.router.v1 import replica_pb2
from keda.externalscaler import externalscaler_pb2_grpc
from keda.externalscaler.externalscaler_pb2 import GetMetricsRequest, ScaledObjectRef

from services.contract.first_tokens import bucket_of
from services.kernel.errors import Reason
from services.runtime.addresses import GrpcTarget
from services.runtime.grpc.server import channel
from tests.fakes.running_router import RunningRouter, admit, refused, running_router, settings_in

RULES: Final = {
    "model": "tiny-eu",
    "min_replicas": 0,
    "max_replicas": 5,
    "requests_per_replica": 2,
    "down_seconds": 30,
    "idle_seconds": 60,
}
TINY: Final = ScaledObjectRef(name="generator", namespace="inference", scalerMetadata={"model": "tiny-eu"})
SECONDS: Final = 20


@asynccontextmanager
async def scaled(
    folder: Path, **fields: Any
) -> AsyncIterator[tuple[RunningRouter, "externalscaler_pb2_grpc.ExternalScalerAsyncStub"]]:
    """A router that scales its model from nothing, and KEDA's stub."""
    address = f"unix:{folder}/scaler"
    given = {"scaler_listen": {"address": address}, "scaling": [RULES], "hold_seconds": 30, **fields}
    target = GrpcTarget(address=address)
    async with running_router(settings_in(folder, **given)) as running, channel(target) as keda:
        # A router that has just started takes nothing away.
        running.clock.advance(100)
        yield running, externalscaler_pb2_grpc.ExternalScalerStub(keda)


async def read(stream: Any) -> Any:
    """The next answer of a stream."""
    return await asyncio.wait_for(stream.read(), SECONDS)


async def desired(keda: "externalscaler_pb2_grpc.ExternalScalerAsyncStub") -> float:
    request = GetMetricsRequest(scaledObjectRef=TINY, metricName="desired-replicas")
    (value,) = (await keda.GetMetrics(request)).metricValues
    assert value.metricName == "desired-replicas"
    assert value.metricValue == value.metricValueFloat
    return value.metricValueFloat


async def test_a_replica_is_to_have_one_of_the_replicas_that_are_wanted(tmp_path: Path) -> None:
    async with scaled(tmp_path) as (_, keda):
        (spec,) = (await keda.GetMetricSpec(TINY)).metricSpecs
        assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == ("desired-replicas", 1, 1.0)
        stream = keda.StreamMetricSpec(TINY)
        streamed = await read(stream)
        assert list(streamed.metricSpecs) == [spec]
        stream.cancel()


async def test_a_request_for_a_model_without_replicas_is_held_and_pushes_for_one(tmp_path: Path) -> None:
    async with scaled(tmp_path) as (running, keda):
        stream = keda.StreamIsActive(TINY)
        assert not (await read(stream)).result
        assert not (await keda.IsActive(TINY)).result
        assert await desired(keda) == 0
        asking = asyncio.create_task(_admitted(running))
        assert (await read(stream)).result
        assert await desired(keda) == 1
        # It was asked for, so it is active while its engine loads, however long that takes.
        async with running.replica() as replica:
            assert (await asyncio.wait_for(asking, SECONDS)).HasField("offer")
            assert (await keda.IsActive(TINY)).result
            await replica.say(load=replica_pb2.Load())
        stream.cancel()


async def _admitted(running: RunningRouter) -> Any:
    return await running.router.Admit(admit(await running.key()), timeout=SECONDS)


async def test_more_are_wanted_with_the_load_and_the_last_goes_after_a_while(tmp_path: Path) -> None:
    async with scaled(tmp_path) as (running, keda), running.replica() as replica:
        await replica.say(load=replica_pb2.Load(running_requests=7))
        assert await desired(keda) == 4
        await replica.say(load=replica_pb2.Load(running_requests=70))
        assert await desired(keda) == 5
        await replica.say(load=replica_pb2.Load())
        assert await desired(keda) == 5
        running.clock.advance(31)
        await replica.say(load=replica_pb2.Load())
        assert await desired(keda) == 1
        running.clock.advance(61)
        await replica.say(load=replica_pb2.Load())
        assert await desired(keda) == 0
        assert not (await keda.IsActive(TINY)).result


async def test_a_replica_that_loads_is_active(tmp_path: Path) -> None:
    async with scaled(tmp_path) as (running, keda):
        assert not (await keda.IsActive(TINY)).result
        stream = running.replicas.Report()
        await stream.write(replica_pb2.ReportRequest(registration=_registration()))
        await asyncio.wait_for(stream.read(), SECONDS)
        running.clock.advance(1)
        assert (await keda.IsActive(TINY)).result
        stream.cancel()


def _registration() -> replica_pb2.Registration:
    return replica_pb2.Registration(
        replica=7, region=1, model=1, address="127.0.0.1:1", context_tokens=1024, max_requests=8
    )


@pytest.mark.parametrize("metadata", [{}, {"model": "nobody"}, {"model": "other-eu"}])
async def test_a_model_that_is_not_scaled_is_not_found(tmp_path: Path, metadata: dict[str, str]) -> None:
    async with scaled(tmp_path) as (_, keda):
        wrong = ScaledObjectRef(name="x", scalerMetadata=metadata)
        calls: list[Any] = [
            keda.IsActive(wrong),
            keda.GetMetrics(GetMetricsRequest(scaledObjectRef=wrong)),
            keda.StreamIsActive(wrong).read(),
        ]
        for call in calls:
            assert (await refused(call)).reason is Reason.NOT_FOUND


async def test_an_alias_is_scaled_as_its_model(tmp_path: Path) -> None:
    settings = settings_in(tmp_path).model_dump(mode="json", include={"catalog"})["catalog"]
    settings["models"][0]["aliases"] = ["fast"]
    async with scaled(tmp_path, catalog=settings) as (_, keda):
        named = ScaledObjectRef(name="x", scalerMetadata={"model": "fast"})
        assert not (await keda.IsActive(named)).result


async def test_streams_end_with_the_router(tmp_path: Path) -> None:
    async with scaled(tmp_path) as (running, keda):
        streams: list[Any] = [keda.StreamIsActive(TINY), keda.StreamMetricSpec(TINY)]
        for stream in streams:
            await read(stream)
        running.stop.set()
        for stream in streams:
            assert await read(stream) is grpc.aio.EOF


async def test_interactive_requests_that_wait_too_long_ask_for_one_more(tmp_path: Path) -> None:
    rules = {**RULES, "idle_seconds": 600, "ttft_p95_seconds": 1.0}
    async with scaled(tmp_path, scaling=[rules]) as (running, keda), running.replica() as replica:
        row = [0] * bucket_of(3.0) + [40]
        slow = replica_pb2.Load(first_tokens=replica_pb2.FirstTokens(interactive=row))
        # It is known for as long as first tokens are counted that there is one replica, and not from a look
        # that the router happened to have before this one.
        assert await desired(keda) == 1
        for _ in range(15):
            running.clock.advance(4)
            await replica.say(load=replica_pb2.Load())
            assert await desired(keda) == 1
        await replica.say(load=slow)
        assert await desired(keda) == 2
        for _ in range(5):
            running.clock.advance(4)
            await replica.say(load=slow)
        assert await desired(keda) == 2, "the second is not ready yet"
