"""What a running stack says of itself now; each question is answered in bounded time or not at all."""

import asyncio
from typing import Any, Final

import grpc
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from services.kernel.readiness import Figure
from services.runtime.addresses import WITHOUT_PROXY
from services.runtime.grpc.readiness_client import ask_readiness

_ASK_SECONDS: Final = 2.0
_MILLISECONDS: Final = 1000
_UNKNOWN: Final = {"replicas": None, "batch": None, "routers_with_own_quotas": 0}


def ask_stack(addresses: dict[str, str]) -> dict[str, Any]:
    """Returns `replicas`, `batch` and `store_lag`, each None where who knows it does not answer."""
    return asyncio.run(_ask_stack(addresses))


async def _ask_stack(addresses: dict[str, str]) -> dict[str, Any]:
    listed, lag = await asyncio.gather(
        _ask_replicas(addresses.get("admin", "")), _ask_lag(addresses.get("usage", ""))
    )
    return {**listed, "store_lag": lag}


async def _ask_replicas(address: str) -> dict[str, Any]:
    if not address:
        return dict(_UNKNOWN)
    async with grpc.aio.insecure_channel(address, options=[WITHOUT_PROXY]) as channel:
        stub: admin_pb2_grpc.AdminServiceAsyncStub = admin_pb2_grpc.AdminServiceStub(channel)
        try:
            answer = await stub.ListReplicas(admin_pb2.ListReplicasRequest(), timeout=_ASK_SECONDS)
        except grpc.aio.AioRpcError:
            return dict(_UNKNOWN)
    return described_list(answer)


def described_list(answer: admin_pb2.ListReplicasResponse) -> dict[str, Any]:
    """Returns the replicas, and what holds batch requests of their models back, as `--json` prints them."""
    return {
        "replicas": [described_replica(replica) for replica in answer.replicas],
        "batch": [_described_batch(state) for state in answer.batch],
        "routers_with_own_quotas": answer.routers_with_own_quotas,
    }


def _described_batch(state: admin_pb2.BatchState) -> dict[str, Any]:
    hold = admin_pb2.BatchHold.Name(state.held_by).removeprefix("BATCH_HOLD_")
    is_known = state.HasField("interactive_ttft_p95_milliseconds")
    return {
        "model": state.model,
        "held_by": hold.lower().replace("_", " ") if state.held_by else None,
        "peak_left_seconds": state.peak_left_seconds,
        "interactive_ttft_p95_seconds": (
            state.interactive_ttft_p95_milliseconds / _MILLISECONDS if is_known else None
        ),
        "interactive_requests": state.interactive_requests,
    }


def described_replica(replica: admin_pb2.Replica) -> dict[str, Any]:
    """Returns a replica as `--json` prints it."""
    state = admin_pb2.ReplicaState.Name(replica.state).removeprefix("REPLICA_STATE_")
    has_clock = replica.HasField("clock_offset_milliseconds")
    offset_seconds = replica.clock_offset_milliseconds / _MILLISECONDS if has_clock else None
    return {
        "number": replica.number,
        "model": replica.model,
        "region": replica.region,
        "address": replica.address,
        "state": state.lower().replace("_", " "),
        "running_requests": replica.running_requests if replica.HasField("running_requests") else None,
        "waiting_requests": replica.waiting_requests if replica.HasField("waiting_requests") else None,
        "in_flight_requests": replica.in_flight_requests,
        "max_requests": replica.max_requests,
        "kv_usage_permille": replica.kv_usage_permille if replica.HasField("kv_usage_permille") else None,
        "report_age_seconds": replica.report_age_milliseconds / _MILLISECONDS,
        "clock_offset_seconds": offset_seconds,
        "registered_at_seconds": replica.registered_at_seconds,
        "tenant": replica.tenant,
    }


async def _ask_lag(address: str) -> dict[str, Any] | None:
    if not address:
        return None
    async with grpc.aio.insecure_channel(address, options=[WITHOUT_PROXY]) as channel:
        try:
            state = await ask_readiness(channel, timeout_seconds=_ASK_SECONDS)
        except grpc.aio.AioRpcError:
            return {"behind_seconds": None, "waiting_frames": None}
    return {
        "behind_seconds": state.figures.get(Figure.BEHIND_SECONDS),
        "waiting_frames": state.figures.get(Figure.WAITING_FRAMES),
    }
