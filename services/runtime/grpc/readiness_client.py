"""Readiness over gRPC: the question that a supervisor asks, without what only a server needs."""

import grpc
from comptoir.readiness.v1 import readiness_pb2, readiness_pb2_grpc

from services.kernel.readiness import Figure, Readiness, Unready


async def ask_readiness(channel: grpc.aio.Channel, *, timeout_seconds: float) -> Readiness:
    """Returns what the process at the other end says; grpc.aio.AioRpcError if it does not answer in time."""
    stub = readiness_pb2_grpc.ReadinessServiceStub(channel)
    answer = await stub.GetReadiness(readiness_pb2.GetReadinessRequest(), timeout=timeout_seconds)
    return readiness_of(answer)


def readiness_of(answer: readiness_pb2.GetReadinessResponse) -> Readiness:
    """Returns the state in an answer; of what a newer process says, as much as this build knows."""
    number = int(answer.reason)
    reason = Unready(number) if number <= max(Unready) else Unready.UNSPECIFIED
    figures = {Figure(int(it.name)): it.value for it in answer.figures if 0 < int(it.name) <= max(Figure)}
    return Readiness(answer.is_ready, reason, figures, answer.since_microseconds)
