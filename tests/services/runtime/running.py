"""A real gRPC server with scripted handlers behind the boundary, on a unix socket or a loopback port."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import replica_pb2_grpc

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.addresses import GrpcListen
from services.runtime.grpc.reflection import add_reflection
from services.runtime.grpc.server import GrpcServer, build_server
from tests.fakes.joined import RecordsMany

Script = Callable[..., Any]


class Emitter(RecordsMany):
    """Keeps what it was sent and answers as `answer` says."""

    def __init__(self) -> None:
        self.requests: list[emitter_pb2.RecordRequest] = []
        self.answer: Callable[[emitter_pb2.RecordRequest], Awaitable[None]] | None = None

    async def Record(  # noqa: N802 - the schema's name
        self, request: emitter_pb2.RecordRequest, context: Any
    ) -> emitter_pb2.RecordResponse:
        """As the real one, without keeping anything."""
        self.requests.append(request)
        if self.answer is not None:
            await self.answer(request)
        return emitter_pb2.RecordResponse(accepted=1)


def _scripted(servicer: type, **scripts: Script | None) -> Any:
    return type(
        "Scripted", (servicer,), {name: script and staticmethod(script) for name, script in scripts.items()}
    )()


@asynccontextmanager
async def serving(
    listen: GrpcListen,
    *,
    get_load: Script | None = None,
    generate: Script | None = None,
    report: Script | None = None,
    emitter: Emitter | None = None,
    is_described: bool = False,
    **bounds: Any,
) -> AsyncIterator[GrpcServer]:
    server = build_server(listen, clock=ManualClock(), **bounds)
    generator = _scripted(generator_pb2_grpc.GeneratorServiceServicer, GetLoad=get_load, Generate=generate)
    generator_pb2_grpc.add_GeneratorServiceServicer_to_server(generator, server.server)
    if is_described:
        add_reflection(server.server, generator_pb2.DESCRIPTOR)
    replica = _scripted(replica_pb2_grpc.ReplicaServiceServicer, Report=report)
    replica_pb2_grpc.add_ReplicaServiceServicer_to_server(replica, server.server)
    if emitter is not None:
        emitter_pb2_grpc.add_EmitterServiceServicer_to_server(emitter, server.server)
    await server.start()
    await server.set_serving(is_serving=True)
    try:
        yield server
    finally:
        await server.drain(0)


class Gate:
    """Holds the emitter's answers until it is opened; the first one that waits is noticed."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, _request: emitter_pb2.RecordRequest) -> None:
        self.reached.set()
        await self.opened.wait()


class Disagreement:
    """Refuses some events for now, as an emitter does that does not know their schema; the rest are taken."""

    def __init__(self, *refused: int) -> None:
        self.refused = set(refused)
        self.taken: list[int] = []

    async def __call__(self, request: emitter_pb2.RecordRequest) -> None:
        sent = [sample.event_id_low for sample in request.replica_loads]
        if self.refused.intersection(sent):
            raise ComptoirError(Reason.USAGE_NOT_RECORDED, field="replica_loads.schema_version")
        self.taken += sent
