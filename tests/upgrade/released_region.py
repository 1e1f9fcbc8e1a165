"""A region whose processes each run the code of a release or of this tree, on stores that outlive them.

Two edges, two routers, two replicas, an emitter and the pipeline; engines are simulated. Each is replaced as
the chart does it: a new edge takes requests before an old one drains, all others come back under their names.
"""

import asyncio
import itertools
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import clickhouse_connect
import httpx
import openai
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc

from services.runtime.settings import environment
from tests.ports import free_port
from tests.postgres import Database, PostgresServer, postgres_server
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.kafka_process import KafkaProcess
from tests.system.running_process import is_serving
from tests.system.serving_processes import ServingProcesses
from tests.valkey_process import ValkeyProcess

# A drain ends with the longest answer; on a machine that does something else too.
DRAIN_SECONDS: Final = 60.0
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
        postgres: tuple[PostgresServer, Database],
        kafka: KafkaProcess,
        clickhouse: ClickHouseProcess,
        *,
        of_each: int = 2,
    ) -> None:
        numbers = range(1, of_each + 1)
        self.routers = tuple(f"router{number}" for number in numbers)
        self.generators = tuple(f"generator{number}" for number in numbers)
        self._first_edges = of_each
        super().__init__(folder, edge=_EDGE, router=_ROUTER, generator=_GENERATOR)
        self.valkey = ValkeyProcess(folder, "--appendonly", "yes")
        self._postgres, self.database = postgres
        self._kafka, self._clickhouse = kafka, clickhouse
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
        names = ("usage", "emitter", *self.routers, *self.generators)
        for name in names:
            self.launch(name)
        await asyncio.gather(*map(self._until_serving, names))
        await self._until_all_are_ready()

    async def stop(self) -> None:
        """Kills every process, whatever it has open: all that is looked at has been by now."""
        for name in list(self._processes):
            self.kill(name)
        self.valkey.kill()
        for client in self._clients.values():
            await client.close()
        await super().stop()

    async def add_edges(self, api_key: str) -> None:
        """The first ones, to be asked with a key."""
        self._api_key = api_key
        for _ in range(self._first_edges):
            await self._add_edge(self._of_all)

    def client(self) -> openai.AsyncOpenAI:
        """That of an edge which takes requests, one after the other, as a load balancer chooses."""
        ready = list(self._clients.values())
        return ready[next(self._turn) % len(ready)]

    @property
    def edges(self) -> tuple[str, ...]:
        """Those that take requests now."""
        return tuple(self._clients)

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
        await self.bring_back(name)

    @property
    def store_url(self) -> str:
        """Where the rows are read."""
        return self._clickhouse.url

    @property
    def admin(self) -> "admin_pb2_grpc.AdminServiceAsyncStub":
        """The first router, as operators call it."""
        return self._admin

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows of the store, as any analyst reads them."""
        with clickhouse_connect.get_client(dsn=self.store_url, autogenerate_session_id=False) as client:
            return list(client.query(query).named_results())

    def generated_tokens(self) -> int:
        """What was generated for anybody, each time that it was, as far as it is stored."""
        query = "SELECT sum(input_tokens + output_tokens) AS tokens FROM comptoir.generations"
        return int(self.rows(query)[0]["tokens"])

    @property
    def has_asked_again(self) -> bool:
        """Whether an edge lost a router, and had what it had asked it admitted once more."""
        return any('"router_lost"' in self._log(name) for name in self._urls)

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
        answer = await self._admin.GetTenant(
            admin_pb2.GetTenantRequest(name=tenant), timeout=30, wait_for_ready=True
        )
        return int(answer.spending.tokens_of_month)

    async def bring_back(self, name: str) -> None:
        """Starts what was killed, and returns once it serves."""
        self.launch(name)
        await self._until_serving(name)
        await self._until_all_are_ready()

    def lose_stores(self, *, with_leases: bool) -> None:
        """Kills the routers, and takes the database's content and perhaps that of the Valkey."""
        for name in self.routers:
            self.kill(name)
        self._postgres.lose(self.database)
        if with_leases:
            self.valkey.kill()
            shutil.rmtree(self._folder / "appendonlydir")
            self.valkey.start()

    def admin_target(self) -> str:
        """Where operators reach the first router."""
        return self._address("admin1")

    def secret(self, name: str) -> Path:
        """The file of a secret."""
        return self._folder / f"{name}.hex"

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

    async def _until_all_are_ready(self) -> None:
        await self.until_replicas(["ready"] * len(self.generators))

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
            "database_url": self.database.url,
            "database_password_file": str(self.database.password_file),
            "lease_store": {"address": f"unix:{self.valkey.socket}", "timeout_seconds": 5},
        }

    def _generator(self, name: str) -> dict[str, Any]:
        return {
            **super()._generator(name),
            "router": {"address": self._address("replicas1")},
            "further_routers": [
                {"address": self._address(f"replicas{number}")} for number in range(2, len(self.routers) + 1)
            ],
            "simulated": _ANSWER,
        }

    def _edge(self, name: str) -> dict[str, Any]:
        host, port = self._urls[name].removeprefix("http://").split(":")
        return {
            **super()._edge(name),
            "listen": {"host": host, "port": int(port)},
            "router": {"address": self._address("router1")},
            "further_routers": [{"address": self._address(name)} for name in self.routers[1:]],
        }


@asynccontextmanager
async def released_region(
    folder: Path, code: Path | None, *, of_each: int = 2
) -> AsyncIterator[ReleasedRegion]:
    """A region of a release, on stores of this tree's: those are not ours to ship."""
    kafka, clickhouse = KafkaProcess(folder), ClickHouseProcess(folder)
    with postgres_server() as server, server.database() as database:
        region = ReleasedRegion(folder, code, (server, database), kafka, clickhouse, of_each=of_each)
        try:
            await asyncio.gather(*map(asyncio.to_thread, (kafka.start, clickhouse.start)))
            await region.start()
            yield region
        finally:
            await region.stop()
            clickhouse.stop()
            kafka.stop()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
