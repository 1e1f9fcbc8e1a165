"""An edge on a loopback port, between scripted neighbours that speak real gRPC."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from services.edge.adapters.generator_client import GeneratorClient
from services.edge.adapters.request_log import RequestLog
from services.edge.adapters.router_client import RouterClient
from services.edge.adapters.usage_reporter import UsageReporter
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.nearest_router import NearestRouter
from services.edge.domain.openai.openapi import openapi_json
from services.edge.domain.openai.operation import Operation
from services.edge.process import HttpSide
from services.edge.server import pages
from services.edge.settings import HttpListen
from services.kernel.clock import SystemClock
from services.runtime.addresses import GrpcTarget
from services.runtime.emitter_client import EmitterClient
from tests.services.edge.neighbours import ScriptedEmitter, serve_emitter, serve_generator, serve_router
from tests.services.edge.scripts import GOOD_KEY, GeneratorScript, RouterScript

LIMITS = EdgeLimits(
    max_connections=64,
    body_seconds=5,
    first_text_seconds=5,
    unreachable_seconds=0,
    request_seconds=20,
    ping_seconds=5,
    write_seconds=5,
    router_seconds=2,
    drain_seconds=5,
    header_seconds=5,
)


@dataclass
class Stage:
    """The edge's neighbours and the edge itself."""

    folder: Path
    router: RouterScript
    generators: list[GeneratorScript]
    emitter: ScriptedEmitter
    stops: list[object] = field(default_factory=list)
    process: HttpSide | None = None
    usage: UsageReporter | None = None
    listen: HttpListen = field(default_factory=lambda: HttpListen(port=0))

    async def start(self, **bounds: Any) -> httpx.AsyncClient:
        """Starts all; returns a client that shows the good key."""
        servers = [await serve_router(self.router, self.folder / "router")]
        for number, script in enumerate(self.generators, 1):
            servers.append(await serve_generator(script, self.folder / f"generator-{number}"))
        servers.append(await serve_emitter(self.emitter, self.folder / "emitter"))
        self.stops += [server.drain(0) for server in servers]
        clock = SystemClock()
        limits = LIMITS.model_copy(update=bounds)
        router = RouterClient(self.target("router"), timeout_seconds=limits.router_seconds)
        generators = GeneratorClient(None, clock, max_channels=8)
        emitter = EmitterClient(self.target("emitter"), clock=clock, wait_seconds=1.0)
        self.usage = UsageReporter(emitter, 1, 42, max_waiting=100)
        self.process = HttpSide(
            limits,
            self.listen,
            clock,
            router=NearestRouter(
                [router], clock, unreachable_seconds=limits.unreachable_seconds, nearer_seconds=60
            ),
            generators=generators,
            usage=RequestLog(self.usage, {1: "tiny-eu"}, is_secured=False),
        )
        await self.process.start()
        client = httpx.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {GOOD_KEY}"}, timeout=10
        )
        self.stops += [generators.close(), router.close(), client.aclose()]
        return client

    def target(self, name: str) -> GrpcTarget:
        return GrpcTarget(address=f"unix:{self.folder / name}")

    @property
    def url(self) -> str:
        return f"{'https' if self.listen.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        assert self.process is not None
        return self.process.port

    def stranger(self) -> httpx.AsyncClient:
        """A client without a key."""
        return httpx.AsyncClient(base_url=self.url, timeout=10)

    async def drain(self) -> None:
        """Ends the edge and waits until its events are with the emitter."""
        assert self.process is not None
        assert self.usage is not None
        await self.process.drain()
        await self.usage.close(within_seconds=2)
        self.process = None


@cache
def described(operations: tuple[tuple[str, str, Operation], ...], version: str) -> bytes:
    return openapi_json(operations, version=version)


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    # The description of an API is the same for each edge, and takes as long as all else of its start.
    monkeypatch.setattr(pages, "openapi_json", lambda all_, *, version: described(tuple(all_), version))
    # Clients trust nobody: they would read the machine's certificates, some 150, once each.
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    generators = [GeneratorScript(), GeneratorScript(), GeneratorScript()]
    addresses = [f"unix:{tmp_path}/generator-{number}" for number in (1, 2, 3)]
    stage = Stage(tmp_path, RouterScript(addresses), generators, ScriptedEmitter())
    yield stage
    if stage.process is not None:
        await stage.drain()
    for stop in reversed(stage.stops):
        await stop  # type: ignore[misc] # coroutines of several types


PATH = "/v1/chat/completions"
CHAT: Any = {"model": "tiny-eu", "messages": [{"role": "user", "content": "Écris."}]}
STREAM = CHAT | {"stream": True}


def sdk(stage: Stage) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0)
