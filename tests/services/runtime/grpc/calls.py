"""Calls between a client and a scripted server, and what must not be found in how they end."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import replica_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2

from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.server import channel
from tests.services.runtime.running import Script, serving

CANARY = "canary7f3a"


@asynccontextmanager
async def connected(address: str, **scripts: Script) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        serving(GrpcListen(address=address), **scripts),  # type: ignore[arg-type] # scripts only
        channel(GrpcTarget(address=address)) as connection,
    ):
        yield connection


def generator(connection: grpc.aio.Channel) -> "generator_pb2_grpc.GeneratorServiceAsyncStub":
    return generator_pb2_grpc.GeneratorServiceStub(connection)


def replica(connection: grpc.aio.Channel) -> "replica_pb2_grpc.ReplicaServiceAsyncStub":
    return replica_pb2_grpc.ReplicaServiceStub(connection)


def chat(text: str = CANARY, **sampling: Any) -> generator_pb2.GenerateRequest:
    return generator_pb2.GenerateRequest(
        ticket=ticket_pb2.SignedTicket(
            claims=CANARY.encode(), signature=CANARY.encode().ljust(64, b"x"), signing_key_number=1
        ),
        messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=text)],
        sampling=generator_pb2.Sampling(stop=[CANARY], **sampling),
    )


def delta(text: str) -> generator_pb2.GenerateResponse:
    return generator_pb2.GenerateResponse(delta=generator_pb2.Delta(text=text))


async def failure_of(call: Any, received: list[Any] | None = None) -> grpc.aio.AioRpcError:
    """How a call ends, having made sure that nothing of the request came back."""

    messages = [] if received is None else received

    async def finish() -> None:
        if hasattr(call, "__aiter__"):
            async for message in call:
                messages.append(message)
        else:
            await call

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await asyncio.wait_for(finish(), 5)
    error = failed.value
    said = f"{error.details()} {error.debug_error_string()} {error.trailing_metadata()} {error!r}"
    assert CANARY not in said
    return error


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capfd.readouterr()
    assert CANARY not in captured.out + captured.err
    assert "Traceback" not in captured.out + captured.err
    # gRPC's own C code notes closed connections, unless GRPC_VERBOSITY was set before it was loaded.
    return [json.loads(line) for line in captured.err.splitlines() if line.startswith("{")]


async def stream_that_raises_at_once(request: generator_pb2.GenerateRequest, context: Any) -> Any:
    if request.messages:
        raise KeyError(request.messages[0].text)
    yield delta("never")
