"""Three routers on one Valkey, three edges that each ask another one first, and two simulated replicas."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final

import grpc
import httpx
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc, router_pb2_grpc
from comptoir.usage.v1 import usage_pb2

from services.contract.events import Kind
from services.emitter.adapters.spool.store import SpoolStore
from services.emitter.domain.limits import SpoolFile
from services.kernel.clock import SystemClock
from tests.ports import free_port
from tests.system.serving_processes import STOP_SECONDS, ServingProcesses
from tests.valkey_process import ValkeyProcess

_ROUTERS: Final = (1, 2, 3)
_REPLICAS: Final = 2


class RegionProcesses(ServingProcesses):
    """They are router1 to router3, edge1 to edge3, generator1, generator2 and the emitter, and the Valkey."""

    # Nine of them start side by side.
    start_seconds: ClassVar[float] = 120.0

    def __init__(self, folder: Path, *, lease_store: dict[str, Any], **sections: Any) -> None:
        super().__init__(folder, replicas=_REPLICAS, **sections)
        self.valkey = ValkeyProcess(folder, "--appendonly", "yes", "--appendfsync", "always")
        self._lease_store = {"address": f"unix:{self.valkey.socket}", "timeout_seconds": 5, **lease_store}
        self.base_urls = [f"http://127.0.0.1:{free_port()}" for _ in _ROUTERS]

    async def start(self) -> None:
        """Starts every process, and returns when all of them serve, with both replicas at both routers."""
        self.valkey.start()
        await self.valkey.ready()
        self.router = router_pb2_grpc.RouterServiceStub(self._channel("router1"))
        self._admin = admin_pb2_grpc.AdminServiceStub(self._channel("admin1"))
        self.launch("emitter")
        self.launch("router1")
        # The first makes the tables of the database that all have.
        await self._until_serving("router1")
        names = [f"router{number}" for number in _ROUTERS[1:]]
        names += [f"generator{number + 1}" for number in range(_REPLICAS)]
        for name in (*names, *(f"edge{number}" for number in _ROUTERS)):
            self.launch(name)
        await asyncio.gather(*map(self._until_serving, names))
        for number in _ROUTERS:
            self._admin = admin_pb2_grpc.AdminServiceStub(self._channel(f"admin{number}"))
            await self.until_replicas(["ready"] * _REPLICAS)
        await asyncio.gather(*map(self._until_ready, self.base_urls))

    async def stop(self) -> None:
        """Ends every process, and the Valkey last."""
        await super().stop()
        self.valkey.kill()

    async def spent_tokens(self, tenant: str) -> int:
        """What a tenant used of its month, and may use in what it has in flight."""
        async with asyncio.timeout(60):
            while True:
                with suppress(grpc.aio.AioRpcError):
                    # It is recorded, and the emitter may have been away.
                    answer = await self._admin.GetTenant(admin_pb2.GetTenantRequest(name=tenant), timeout=30)
                    return int(answer.spending.tokens_of_month)
                await asyncio.sleep(0.1)

    async def events(self) -> tuple[list[usage_pb2.Generation], list[usage_pb2.Admission]]:
        """What the emitter has; it is ended for that, and started again."""
        self.signal("emitter", signal.SIGTERM)
        await asyncio.to_thread(self._processes["emitter"].wait, STOP_SECONDS)
        folder = self._folder / "spool"
        store = SpoolStore(
            SpoolFile(spool_folder=folder, durability="process", remember_event_ids_seconds=60.0)
        )
        with store.transaction():
            generations, admissions = (
                store.frames(kind, 10**6, SystemClock().wall_microseconds(), is_draining=True)
                for kind in (Kind.GENERATION, Kind.ADMISSION)
            )
        store.close()
        self.launch("emitter")
        await self._until_serving("emitter")
        return (
            [one for each in generations for one in usage_pb2.GenerationFrame.FromString(each.body).events],
            [one for each in admissions for one in usage_pb2.AdmissionFrame.FromString(each.body).events],
        )

    async def _until_ready(self, base_url: str) -> None:
        async with httpx.AsyncClient(base_url=base_url, timeout=30) as client, asyncio.timeout(60):
            while not await _is_ready(client):  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.05)

    def _router(self, name: str) -> dict[str, Any]:
        number = name.removeprefix("router")
        return {
            **super()._router(name),
            "number": int(number),
            "admin_listen": {"address": self._address(f"admin{number}")},
            "replica_listen": {"address": self._address(f"replicas{number}")},
            "lease_store": self._lease_store,
        }

    def _generator(self, name: str) -> dict[str, Any]:
        return {
            **super()._generator(name),
            "router": {"address": self._address("replicas1")},
            "further_routers": [{"address": self._address(f"replicas{number}")} for number in _ROUTERS[1:]],
        }

    def _edge(self, name: str) -> dict[str, Any]:
        first = int(name.removeprefix("edge"))
        host, port = self.base_urls[first - 1].removeprefix("http://").split(":")
        nearest_first = (*_ROUTERS[first - 1 :], *_ROUTERS[: first - 1])
        routers = [{"address": self._address(f"router{number}")} for number in nearest_first]
        return {
            **super()._edge(name),
            "listen": {"host": host, "port": int(port)},
            "router": routers[0],
            "further_routers": routers[1:],
        }


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
