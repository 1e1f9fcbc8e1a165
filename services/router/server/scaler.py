"""ExternalScaler, by which KEDA asks how many replicas a model should have, and is told when that changes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from keda.externalscaler import externalscaler_pb2, externalscaler_pb2_grpc

from services.kernel.catalog import Catalog, Region
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.desired_replicas import DesiredReplicas
from services.runtime.grpc.interceptors import Context

# The metric is the number that is wanted, and each replica is to have 1 of it.
METRIC: Final = "desired-replicas"
_PER_REPLICA: Final = 1
# What a ScaledObject says of its trigger: the name of the model, as clients know it.
_MODEL_KEY: Final = "model"
_LOOK_SECONDS: Final = 0.25


class ScalerServer(externalscaler_pb2_grpc.ExternalScalerServicer):
    """Answers KEDA for each model that the settings say how to scale."""

    def __init__(
        self, desired: DesiredReplicas, catalog: Catalog, region: Region, stopping: asyncio.Event
    ) -> None:
        self._desired = desired
        self._catalog = catalog
        self._region = region
        self._stopping = stopping

    async def IsActive(  # noqa: N802 - the schema's name
        self, request: externalscaler_pb2.ScaledObjectRef, context: Context
    ) -> externalscaler_pb2.IsActiveResponse:
        """Says whether the model is to have any replica: it is asked for, was just used, or one loads."""
        del context
        is_active = self._desired.decide(self._model(request)).is_active
        return externalscaler_pb2.IsActiveResponse(result=is_active)

    async def StreamIsActive(  # noqa: N802 - the schema's name
        self, request: externalscaler_pb2.ScaledObjectRef, context: Context
    ) -> AsyncIterator[externalscaler_pb2.IsActiveResponse]:
        """Says it at once, and again whenever it changes."""
        del context
        model, told = self._model(request), None
        while not self._stopping.is_set():
            is_active = self._desired.decide(model).is_active
            if is_active != told:
                told = is_active
                yield externalscaler_pb2.IsActiveResponse(result=is_active)
            await self._stopped_within(_LOOK_SECONDS)

    async def GetMetricSpec(  # noqa: N802 - the schema's name
        self, request: externalscaler_pb2.ScaledObjectRef, context: Context
    ) -> externalscaler_pb2.GetMetricSpecResponse:
        """Says that a replica is to have one of the replicas that are wanted."""
        del context
        self._model(request)
        return _specs()

    async def StreamMetricSpec(  # noqa: N802 - the schema's name
        self, request: externalscaler_pb2.ScaledObjectRef, context: Context
    ) -> AsyncIterator[externalscaler_pb2.GetMetricSpecResponse]:
        """Says the same at once; it changes no more while this process lives."""
        del context
        self._model(request)
        yield _specs()
        await self._stopping.wait()

    async def GetMetrics(  # noqa: N802 - the schema's name
        self, request: externalscaler_pb2.GetMetricsRequest, context: Context
    ) -> externalscaler_pb2.GetMetricsResponse:
        """Says how many replicas are wanted now."""
        del context
        desired = self._desired.decide(self._model(request.scaledObjectRef)).desired
        value = externalscaler_pb2.MetricValue(
            metricName=METRIC, metricValue=desired, metricValueFloat=float(desired)
        )
        return externalscaler_pb2.GetMetricsResponse(metricValues=[value])

    def _model(self, request: externalscaler_pb2.ScaledObjectRef) -> int:
        name = request.scalerMetadata.get(_MODEL_KEY, "")
        found = self._catalog.model_name(name, self._region)
        if found is None:
            raise ComptoirError(Reason.NOT_FOUND, field="scalerMetadata")
        return found.model.number

    async def _stopped_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _specs() -> externalscaler_pb2.GetMetricSpecResponse:
    # KEDA reads the integer where it is older than the other field.
    spec = externalscaler_pb2.MetricSpec(
        metricName=METRIC, targetSize=_PER_REPLICA, targetSizeFloat=float(_PER_REPLICA)
    )
    return externalscaler_pb2.GetMetricSpecResponse(metricSpecs=[spec])
