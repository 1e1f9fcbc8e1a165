"""Asks one process whether it is ready."""

from pathlib import Path

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.cli.stack.plan import Probe

_ASK_SECONDS = 2.0


async def is_ready(probe: Probe) -> bool:
    """True if the process behind `probe` says so within two seconds; False for one that is away."""
    if probe.kind == "file":
        return _exists(Path(probe.where))
    if probe.kind == "http":
        return await _answers(probe.where)
    return await _serves(probe.where)


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=_ASK_SECONDS, trust_env=False) as client:
            return (await client.get(url)).is_success
    except httpx.TransportError:
        return False


async def _serves(address: str) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_ASK_SECONDS)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _exists(path: Path) -> bool:
    return path.exists()
