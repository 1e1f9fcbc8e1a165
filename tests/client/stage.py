"""A router and replicas that follow scripts behind real gRPC, and both clients behind one interface."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Protocol, Unpack, cast

from comptoir.client import (
    Answer,
    Chat,
    Client,
    Countable,
    Embeddings,
    GetModelInfoResponse,
    Inputs,
    aio,
    user,
)
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import router_pb2, router_pb2_grpc

from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError as Refusal
from services.kernel.errors import Reason
from services.runtime.addresses import GrpcListen, TlsFiles
from services.runtime.grpc.server import GrpcServer, build_server
from tests.ports import free_port
from tests.services.edge.neighbours import ScriptedGenerator, ScriptedRouter
from tests.services.edge.scripts import GOOD_KEY, GeneratorScript, RouterScript, Step

MODEL = "tiny-eu"
CANARY = "canari-5d1c"
SECONDS = 10.0
WAIT_SECONDS = 5.0


def chat(**fields: Any) -> Chat:
    """A short chat, with other fields where given."""
    short: Any = {"model": MODEL, "messages": [user(f"Bonjour {CANARY}")], "timeout_seconds": SECONDS}
    return cast("Chat", {**short, **fields})


class NotingRouter(ScriptedRouter):
    """Also keeps what it was asked, how long its callers wait, and can say nothing."""

    def __init__(self, script: RouterScript) -> None:
        super().__init__(script)
        self.admissions: list[router_pb2.AdmitRequest] = []
        self.metadata: list[dict[str, Any]] = []
        self.has_been_asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def Admit(self, request: router_pb2.AdmitRequest, context: Any) -> router_pb2.AdmitResponse:  # noqa: N802
        self.admissions.append(request)
        self.has_been_asked.set()
        self.metadata.append(dict(context.invocation_metadata()))
        await self.gate.wait()
        return await super().Admit(request, context)

    async def AdmitCount(self, request: router_pb2.AdmitCountRequest, context: Any) -> Any:  # noqa: N802
        await self.gate.wait()
        return await super().AdmitCount(request, context)

    async def ListModels(self, request: router_pb2.ListModelsRequest, context: Any) -> Any:  # noqa: N802
        await self.gate.wait()
        return await super().ListModels(request, context)


class NotingGenerator(ScriptedGenerator):
    """Also keeps what it was asked and how long its callers wait; it can leave out what comes last."""

    def __init__(self, script: GeneratorScript) -> None:
        super().__init__(script)
        self.requests: list[generator_pb2.GenerateRequest] = []
        self.metadata: list[dict[str, Any]] = []
        self.left_seconds: list[float] = []
        self.leaves_out_finished = False

    async def Generate(  # noqa: N802
        self, request: generator_pb2.GenerateRequest, context: Any
    ) -> AsyncIterator[generator_pb2.GenerateResponse]:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.left_seconds.append(context.time_remaining())
        async for response in super().Generate(request, context):
            if not (self.leaves_out_finished and response.HasField("finished")):
                yield response


class Stage:
    """A router that offers its replicas in order; on sockets, or with `tls` on loopback ports."""

    def __init__(self, folder: Path, tls: TlsFiles | None = None) -> None:
        self._folder = folder
        self._tls = tls
        self._servers: list[GrpcServer] = []
        self.script = RouterScript(addresses=[])
        self.router = NotingRouter(self.script)
        self.replicas: list[NotingGenerator] = []
        self.address = self._new_address("router")

    async def start(self, *scripts: GeneratorScript) -> None:
        """Starts the router and a replica for each script."""
        server = self._server(self.address)
        router_pb2_grpc.add_RouterServiceServicer_to_server(self.router, server.server)
        await self._start(server)
        for script in scripts:
            await self.add(script)

    async def add(self, script: GeneratorScript) -> None:
        """Starts a replica more."""
        replica = NotingGenerator(script)
        address = self._new_address(f"generator-{len(self.replicas) + 1}")
        server = self._server(address)
        generator_pb2_grpc.add_GeneratorServiceServicer_to_server(replica, server.server)
        await self._start(server)
        self.replicas.append(replica)
        self.script.addresses.append(address)

    async def stop(self) -> None:
        """Ends every server at once."""
        for server in self._servers:
            await server.drain(0)

    async def stop_replica(self, number: int) -> None:
        """Ends one server at once, with the calls that are open there."""
        await self._servers[number].drain(0)

    def _new_address(self, name: str) -> str:
        return f"unix:{self._folder / name}" if self._tls is None else f"127.0.0.1:{free_port()}"

    def _server(self, address: str) -> GrpcServer:
        return build_server(GrpcListen(address=address, tls=self._tls), clock=SystemClock())

    async def _start(self, server: GrpcServer) -> None:
        await server.start()
        self._servers.append(server)


def refusing(reason: Reason) -> GeneratorScript:
    return GeneratorScript(before_started=[Refusal(reason)])


def failing(reason: Reason, *texts: str) -> GeneratorScript:
    return GeneratorScript(steps=[*texts, Refusal(reason)])


def waiting(*before: Step, steps: list[Step] | None = None) -> GeneratorScript:
    return GeneratorScript(before_started=list(before), steps=[] if steps is None else steps)


async def soon(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), WAIT_SECONDS)


def tickets(stage: Stage) -> list[list[int]]:
    return [replica.script.attempts for replica in stage.replicas]


class Caller(Protocol):
    """A service that uses one of the two clients."""

    async def answer(self, **fields: Unpack[Chat]) -> Answer:
        """The whole answer."""
        ...

    async def texts(self, *, leave_after: int | None = None, **fields: Unpack[Chat]) -> list[str]:
        """The deltas of an answer, all or as many as `leave_after`; 0 leaves it once it is accepted."""
        ...

    async def count(self, **fields: Unpack[Countable]) -> int:
        """How many tokens a prompt has."""
        ...

    async def embed(self, **fields: Unpack[Inputs]) -> Embeddings:
        """A vector of each input."""
        ...

    async def describe(self, model: str) -> GetModelInfoResponse:
        """What a replica of a model serves."""
        ...

    async def models(self) -> list[str]:
        """The names of the models."""
        ...

    async def close(self) -> None:
        """Closes the client."""
        ...


class BlockingCaller:
    """Uses the blocking client, in threads."""

    def __init__(self, address: str | Sequence[str], **options: Any) -> None:
        self.client = Client(address, **{"api_key": GOOD_KEY, **options})

    async def answer(self, **fields: Unpack[Chat]) -> Answer:
        return await asyncio.to_thread(self.client.answer, **fields)

    async def texts(self, *, leave_after: int | None = None, **fields: Unpack[Chat]) -> list[str]:
        return await asyncio.to_thread(self._texts, leave_after, fields)

    async def count(self, **fields: Unpack[Countable]) -> int:
        return await asyncio.to_thread(self.client.count_tokens, **fields)

    async def embed(self, **fields: Unpack[Inputs]) -> Embeddings:
        return await asyncio.to_thread(self.client.embed, **fields)

    async def describe(self, model: str) -> GetModelInfoResponse:
        return await asyncio.to_thread(self.client.describe_model, model)

    async def models(self) -> list[str]:
        return [model.name for model in await asyncio.to_thread(self.client.list_models)]

    async def close(self) -> None:
        await asyncio.to_thread(self.client.close)

    def _texts(self, leave_after: int | None, fields: Chat) -> list[str]:
        texts: list[str] = []
        with self.client.generate(**fields) as generation:
            while len(texts) != leave_after:
                delta = next(generation, None)
                if delta is None:
                    break
                texts.append(delta.text)
        return texts


class AsyncioCaller:
    """Uses the asyncio client."""

    def __init__(self, address: str | Sequence[str], **options: Any) -> None:
        self.client = aio.Client(address, **{"api_key": GOOD_KEY, **options})

    async def answer(self, **fields: Unpack[Chat]) -> Answer:
        return await self.client.answer(**fields)

    async def texts(self, *, leave_after: int | None = None, **fields: Unpack[Chat]) -> list[str]:
        texts: list[str] = []
        async with self.client.generate(**fields) as generation:
            while len(texts) != leave_after:
                delta = await anext(generation, None)
                if delta is None:
                    break
                texts.append(delta.text)
        return texts

    async def count(self, **fields: Unpack[Countable]) -> int:
        return await self.client.count_tokens(**fields)

    async def embed(self, **fields: Unpack[Inputs]) -> Embeddings:
        return await self.client.embed(**fields)

    async def describe(self, model: str) -> GetModelInfoResponse:
        return await self.client.describe_model(model)

    async def models(self) -> list[str]:
        return [model.name for model in await self.client.list_models()]

    async def close(self) -> None:
        await self.client.close()


CALLERS: dict[str, type[BlockingCaller] | type[AsyncioCaller]] = {
    "blocking": BlockingCaller,
    "asyncio": AsyncioCaller,
}
