"""Edge, router, emitter and replicas as real processes, without a log or a store; engines are simulated."""

import asyncio
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import grpc
import yaml
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc, router_pb2, router_pb2_grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.ports import free_port

START_SECONDS, STOP_SECONDS = 120.0, 60.0
MODEL = "tiny-eu"


class ServingProcesses:
    """What serves requests. Start it once; each process can be killed and started again by its name."""

    # Of the model, by the catalog; and how long one process may take to serve.
    context_tokens: ClassVar[int] = 1024
    start_seconds: ClassVar[float] = START_SECONDS

    def __init__(self, folder: Path, *, replicas: int = 1, **sections: dict[str, Any]) -> None:
        self._folder, self._replicas, self._sections = folder, replicas, sections
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._channels: list[grpc.aio.Channel] = []
        self.base_url = f"http://127.0.0.1:{free_port()}"
        self._write_secrets()

    @property
    def router_address(self) -> str:
        """Where internal services reach the router."""
        return self._address("router")

    async def start(self) -> None:
        """Starts every process, and returns when all of them serve."""
        self.router: router_pb2_grpc.RouterServiceAsyncStub = router_pb2_grpc.RouterServiceStub(
            self._channel("router")
        )
        self._admin: admin_pb2_grpc.AdminServiceAsyncStub = admin_pb2_grpc.AdminServiceStub(
            self._channel("admin")
        )
        names = ["emitter", "router", *(f"generator{number + 1}" for number in range(self._replicas))]
        for name in names:
            self.launch(name)
        self.launch("edge")
        await asyncio.gather(*(self._until_serving(name) for name in names))

    def launch(self, name: str) -> None:
        """Starts a process and does not wait."""
        config = self._folder / f"{name}.yaml"
        config.write_text(yaml.safe_dump(self._document(name)))
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", self._module(name), "--config", str(config)],
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._code(name),
            )

    def pid(self, name: str) -> int:
        """The number of a process that runs."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self._processes[name].kill()
        self._processes.pop(name).wait(STOP_SECONDS)

    async def change(self, name: str, **section: Any) -> None:
        """Kills a process, starts it with other settings, and returns when it serves."""
        self.kill(name)
        self._sections[name] = section
        self.launch(name)
        await self._until_serving(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Any other signal."""
        self._processes[name].send_signal(number)

    async def stop(self) -> None:
        """Ends every process; nothing of it runs afterwards."""
        for channel in self._channels:
            await channel.close()
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                await asyncio.to_thread(process.wait, STOP_SECONDS)
            finally:
                process.kill()

    async def key(self, tenant: str, **quota: int) -> str:
        """A key of a new tenant."""
        await self._admin.CreateTenant(admin_pb2.CreateTenantRequest(name=tenant))
        request = admin_pb2.CreateKeyRequest(tenant=tenant, quota=admin_pb2.Quota(**quota))
        return (await self._admin.CreateKey(request)).api_key

    async def replica_states(self) -> list[str]:
        """The states of the replicas that are registered, as `comptoir status` shows them."""
        names = [admin_pb2.ReplicaState.Name(replica.state) for replica in await self._listed()]
        return [name.removeprefix("REPLICA_STATE_").lower() for name in names]

    async def until_replicas(self, states: list[str]) -> None:
        """Returns once the replicas have these states."""
        async with asyncio.timeout(START_SECONDS):
            while await self.replica_states() != states:  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.05)

    async def in_flight(self) -> list[int]:
        """How many requests the router has on each replica that is registered."""
        return [replica.in_flight_requests for replica in await self._listed()]

    async def _listed(self) -> Sequence[admin_pb2.Replica]:
        answer = await self._admin.ListReplicas(
            admin_pb2.ListReplicasRequest(), timeout=30, wait_for_ready=True
        )
        return answer.replicas

    async def until_in_flight(self, requests: list[int]) -> None:
        """Returns once the router has so many requests on each replica."""
        async with asyncio.timeout(START_SECONDS):
            while await self.in_flight() != requests:  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.02)

    async def until_accepted(self, requests: int) -> None:
        """Returns once the replicas have accepted so many requests and ended none of them."""
        async with asyncio.timeout(START_SECONDS):
            while await self._open_requests() < requests:  # noqa: ASYNC110 - it can only be asked
                await asyncio.sleep(0.02)

    async def _open_requests(self) -> int:
        names = [name for name in self._processes if name.startswith("generator")]
        stubs = [generator_pb2_grpc.GeneratorServiceStub(self._channel(name)) for name in names]
        loads = [await stub.GetLoad(generator_pb2.GetLoadRequest(), timeout=30) for stub in stubs]
        return sum(load.open_streams for load in loads)

    async def admit(self, api_key: str, *, max_output_tokens: int = 100) -> router_pb2.AdmitResponse:
        """Tickets for a small request."""
        request = router_pb2.AdmitRequest(
            api_key=api_key,
            model=MODEL,
            prompt_tokens_upper_bound=40,
            max_output_tokens=max_output_tokens,
        )
        return await self.router.Admit(request, timeout=10)

    async def next_offer(self, api_key: str, admitted: router_pb2.AdmitResponse) -> router_pb2.TicketOffer:
        """Another ticket of the same lease."""
        request = router_pb2.NextOfferRequest(
            api_key=api_key, lease_id_high=admitted.lease_id_high, lease_id_low=admitted.lease_id_low
        )
        return (await self.router.NextOffer(request, timeout=10)).offer

    async def release(self, admitted: router_pb2.AdmitResponse) -> bool:
        """What the router answers to a caller that gives the lease back."""
        lease = {"lease_id_high": admitted.lease_id_high, "lease_id_low": admitted.lease_id_low}
        return (await self.router.Release(router_pb2.ReleaseRequest(**lease), timeout=30)).is_released

    def generate(self, offer: router_pb2.TicketOffer) -> Any:
        """The open call of a generation on the replica of an offer."""
        message = generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text="Bonjour")
        request = generator_pb2.GenerateRequest(ticket=offer.ticket, messages=[message], is_streamed=True)
        stub = generator_pb2_grpc.GeneratorServiceStub(self._channel(offer.generator_address))
        return stub.Generate(request, timeout=60)

    def _channel(self, name: str) -> grpc.aio.Channel:
        address = name if name.startswith("unix:") else self._address(name)
        channel = grpc.aio.insecure_channel(address)
        self._channels.append(channel)
        return channel

    def _address(self, name: str) -> str:
        return f"unix:{self._folder}/{name}"

    def _module(self, name: str) -> str:
        return "services." + name.rstrip("0123456789")

    def _code(self, name: str) -> dict[str, Any]:
        """What `Popen` needs where a process does not run this tree's code."""
        return {}

    async def _until_serving(self, name: str) -> None:
        health: Any = health_pb2_grpc.HealthStub(self._channel(name))
        request = health_pb2.HealthCheckRequest()
        async for answer in health.Watch(request, timeout=self.start_seconds, wait_for_ready=True):
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return

    def _write_secrets(self) -> None:
        seed = secrets.token_bytes(32)
        public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        files = {"seed": seed, "ticket": public_key}
        files |= {name: secrets.token_bytes(32) for name in ("pepper", "salt", "pseudonym")}
        for name, content in files.items():
            (self._folder / f"{name}.hex").write_text(content.hex())
            (self._folder / f"{name}.hex").chmod(0o600)

    def _document(self, name: str) -> dict[str, Any]:
        kind = name.rstrip("0123456789")
        model = {"number": 1, "name": MODEL, "context_tokens": self.context_tokens, "max_output_tokens": 1024}
        own = {
            **getattr(self, f"_{kind}")(name),
            **self._sections.get(kind, {}),
            **self._sections.get(name, {}),
        }
        catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
        return {"region": "eu-fr", "catalog": catalog, kind: own}

    def _emitter(self, name: str) -> dict[str, Any]:
        return {
            "listen": {"address": self._address(name)},
            # Nobody listens there: events stay in the spool.
            "kafka": {"bootstrap": "127.0.0.1:9"},
            "spool_folder": str(self._folder / "spool"),
            "pseudonym_epoch": 1,
            "pseudonym_secret_file": str(self._folder / "pseudonym.hex"),
        }

    def _router(self, name: str) -> dict[str, Any]:
        return {
            "listen": {"address": self._address(name)},
            "admin_listen": {"address": self._address("admin")},
            "replica_listen": {"address": self._address("replicas")},
            "emitter": {"address": self._address("emitter")},
            "database_file": str(self._folder / "router.sqlite"),
            "pepper_file": str(self._folder / "pepper.hex"),
            "signing_key_file": str(self._folder / "seed.hex"),
        }

    def _generator(self, name: str) -> dict[str, Any]:
        return {
            "listen": {"address": self._address(name)},
            "router": {"address": self._address("replicas")},
            "emitter": {"address": self._address("emitter")},
            "replica": int(name.removeprefix("generator")),
            "engine": "simulated",
            "model": MODEL,
            "ticket_public_keys": {1: str(self._folder / "ticket.hex")},
            "cache_salt_secret_file": str(self._folder / "salt.hex"),
        }

    def _edge(self, name: str) -> dict[str, Any]:
        host, port = self.base_url.removeprefix("http://").split(":")
        return {
            "listen": {"host": host, "port": int(port)},
            "router": {"address": self._address("router")},
            "emitter": {"address": self._address("emitter")},
        }
