"""A region whose processes each run the code of a release or of this tree, on stores that outlive them.

Two edges, two routers, two replicas, an emitter and the pipeline; engines are simulated. Each is replaced as
the chart does it: a new edge takes requests before an old one drains, all others come back under their names.
"""

import asyncio
import itertools
import signal
from pathlib import Path
from typing import Any, ClassVar, Final

import httpx
import openai
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from services.runtime.settings import environment
from tests.ports import free_port
from tests.postgres import Database
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.kafka_process import KafkaProcess
from tests.system.running_process import is_serving
from tests.system.serving_processes import ServingProcesses
from tests.valkey_process import ValkeyProcess

# A drain ends with the longest answer; on a machine that does something else too.
DRAIN_SECONDS: Final = 60.0
ROUTERS: Final = ("router1", "router2")
GENERATORS: Final = ("generator1", "generator2")
_READY_SECONDS: Final = 60.0
_ANSWER: Final = {"ttft_seconds": 0.05, "itl_seconds": 0.05, "answer_tokens": 25}
# How long each waits for another that is replaced: as the chart's values have it.
_EDGE: Final = {"unreachable_seconds": 60, "drain_seconds": 60, "drain_events_seconds": 60}
_ROUTER: Final = {"emitter_wait_seconds": 30, "hold_seconds": 120}
_GENERATOR: Final = {"drain_seconds": 60, "usage_wait_seconds": 60}


class ReleasedRegion(ServingProcesses):
    """Starts as the release whose code is in a folder; `replace` goes on with another one's."""

    start_seconds: ClassVar[float] = 120.0

    def __init__(
        self,
        folder: Path,
        code: Path | None,
        database: Database,
        kafka: KafkaProcess,
        clickhouse: ClickHouseProcess,
    ) -> None:
        super().__init__(folder, edge=_EDGE, router=_ROUTER, generator=_GENERATOR)
        self.valkey = ValkeyProcess(folder, "--appendonly", "yes")
        self._database, self._kafka, self._clickhouse = database, kafka, clickhouse
        self._of_all = code
        self._code_of: dict[str, Path | None] = {}
        self._urls: dict[str, str] = {}
        self._edge_numbers = itertools.count(1)
        self._clients: dict[str, openai.AsyncOpenAI] = {}
        self._turn = itertools.count()

    async def start(self) -> None:
        """Starts the stores' clients first, as a chart's pods would come."""
        self.valkey.start()
        await self.valkey.ready()
        self._admin: admin_pb2_grpc.AdminServiceAsyncStub = admin_pb2_grpc.AdminServiceStub(
            self._channel("admin1")
        )
        for name in ("usage", "emitter", *ROUTERS, *GENERATORS):
            self.launch(name)
        await asyncio.gather(*map(self._until_serving, ("usage", "emitter", *ROUTERS, *GENERATORS)))
        await self.until_replicas(["ready"] * len(GENERATORS))

    async def stop(self) -> None:
        """Ends every process, and the Valkey last."""
        for client in self._clients.values():
            await client.close()
        await super().stop()
        self.valkey.kill()

    async def add_edges(self, api_key: str) -> None:
        """The first two, to be asked with a key."""
        self._api_key = api_key
        for _ in range(2):
            await self._add_edge(self._of_all)

    def client(self) -> openai.AsyncOpenAI:
        """That of an edge which takes requests, one after the other, as a load balancer chooses."""
        ready = list(self._clients.values())
        return ready[next(self._turn) % len(ready)]

    async def replace_edge(self, code: Path | None) -> None:
        """A new edge takes requests, and then the oldest one drains."""
        await self._add_edge(code)
        oldest = next(iter(self._clients))
        client = self._clients.pop(oldest)
        await self._drain(oldest)
        await client.close()

    async def replace(self, name: str, code: Path | None) -> None:
        """Drains a process, and returns when another one serves in its place."""
        if name in self._processes:
            await self._drain(name)
        self._code_of[name] = code
        self.launch(name)
        await self._until_serving(name)
        await self.until_replicas(["ready"] * len(GENERATORS))

    @property
    def store_url(self) -> str:
        """Where the rows are read."""
        return self._clickhouse.url

    async def refusal(self, name: str, code: Path | None) -> tuple[int, str]:
        """How a process ends that cannot start in its place, and what it says; nothing runs there then."""
        await self._drain(name)
        before = self._log(name)
        self._code_of[name] = code
        self.launch(name)
        status = await asyncio.to_thread(self._processes.pop(name).wait, DRAIN_SECONDS)
        return status, self._log(name).removeprefix(before)

    async def spent_tokens(self, tenant: str) -> int:
        """What a tenant used of its month, and may use in what it has in flight."""
        answer = await self._admin.GetTenant(admin_pb2.GetTenantRequest(name=tenant), timeout=30)
        return int(answer.spending.tokens_of_month)

    def code_of(self, name: str) -> Path | None:
        """The folder of its release; None is this tree."""
        return self._code_of.get(name, self._of_all)

    async def _add_edge(self, code: Path | None) -> None:
        name = f"edge{next(self._edge_numbers)}"
        self._code_of[name] = code
        self._urls[name] = f"http://127.0.0.1:{free_port()}"
        self.launch(name)
        async with httpx.AsyncClient(base_url=self._urls[name], timeout=30) as client:
            async with asyncio.timeout(_READY_SECONDS):
                while not await _is_ready(client):  # noqa: ASYNC110 - it can only be asked
                    await asyncio.sleep(0.05)
        self._clients[name] = openai.AsyncOpenAI(
            base_url=f"{self._urls[name]}/v1", api_key=self._api_key, max_retries=0, timeout=60
        )

    async def _until_serving(self, name: str) -> None:
        async with asyncio.timeout(self.start_seconds):
            # A channel that is kept would connect anew only after ever longer pauses.
            while not await asyncio.to_thread(is_serving, self._address(name)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _drain(self, name: str) -> None:
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            status = await asyncio.to_thread(process.wait, DRAIN_SECONDS)
        finally:
            process.kill()
        # Edges before 0.3.0 may ask routers over a connection that they have just closed, after all else.
        may_fail = name.startswith("edge") and self.code_of(name) and '"kind": "routers"' in self._log(name)
        assert status == 0 or may_fail, f"{name} ended with {status}:\n{self._log(name)[-3000:]}"

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()

    def _code(self, name: str) -> dict[str, Any]:
        code = self.code_of(name)
        # Its packages go before those that are installed.
        return {} if code is None else {"cwd": code, "env": {**environment(), "PYTHONPATH": str(code)}}

    def _module(self, name: str) -> str:
        return "pipelines.usage" if name == "usage" else super()._module(name)

    def _emitter(self, name: str) -> dict[str, Any]:
        return {**super()._emitter(name), "kafka": {"bootstrap": self._kafka.address}}

    def _usage(self, name: str) -> dict[str, Any]:
        store = {"url": self._clickhouse.url, "password_file": str(self._clickhouse.password_file)}
        log = {"bootstrap": self._kafka.address, "session_timeout_seconds": 6}
        return {"listen": {"address": self._address(name)}, "kafka": log, "clickhouse": store}

    def _router(self, name: str) -> dict[str, Any]:
        number = name.removeprefix("router")
        own = {key: value for key, value in super()._router(name).items() if key != "database_file"}
        return {
            **own,
            "number": int(number),
            "admin_listen": {"address": self._address(f"admin{number}")},
            "replica_listen": {"address": self._address(f"replicas{number}")},
            "database_url": self._database.url,
            "database_password_file": str(self._database.password_file),
            "lease_store": {"address": f"unix:{self.valkey.socket}", "timeout_seconds": 5},
        }

    def _generator(self, name: str) -> dict[str, Any]:
        return {
            **super()._generator(name),
            "router": {"address": self._address("replicas1")},
            "further_routers": [{"address": self._address("replicas2")}],
            "simulated": _ANSWER,
        }

    def _edge(self, name: str) -> dict[str, Any]:
        host, port = self._urls[name].removeprefix("http://").split(":")
        return {
            **super()._edge(name),
            "listen": {"host": host, "port": int(port)},
            "router": {"address": self._address("router1")},
            "further_routers": [{"address": self._address("router2")}],
        }


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
