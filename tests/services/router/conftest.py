"""A whole router in this process: real gRPC, real SQLite, a log that is kept in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from comptoir.router.v1 import admin_pb2, admin_pb2_grpc, replica_pb2_grpc, router_pb2_grpc

from services.router.assembly import Router
from services.router.domain.events import AdmissionEvent
from services.router.settings import RouterSettings
from services.runtime.addresses import GrpcTarget
from services.runtime.clock import ManualClock
from services.runtime.errors import ComptoirError
from services.runtime.grpc_server import channel


@dataclass
class MemoryLog:
    """An admission log that keeps events, or fails when it is told to."""

    events: list[AdmissionEvent] = field(default_factory=list)
    failure: ComptoirError | None = None

    async def record(self, event: AdmissionEvent) -> None:
        if self.failure is not None:
            raise self.failure
        self.events.append(event)


@dataclass
class RunningRouter:
    """A started router, its stubs, and what a test turns or looks at."""

    settings: RouterSettings
    clock: ManualClock
    log: MemoryLog
    router: "router_pb2_grpc.RouterServiceAsyncStub"
    replicas: "replica_pb2_grpc.ReplicaServiceAsyncStub"
    admin: "admin_pb2_grpc.AdminServiceAsyncStub"
    stop: asyncio.Event
    serving: "asyncio.Task[None]"

    async def key(self, tenant: str = "acme", **fields: object) -> str:
        """A new key, with its tenant if that is new too."""
        names = {
            stored.name for stored in (await self.admin.ListTenants(admin_pb2.ListTenantsRequest())).tenants
        }
        if tenant not in names:
            await self.admin.CreateTenant(admin_pb2.CreateTenantRequest(name=tenant))
        request = admin_pb2.CreateKeyRequest(tenant=tenant, **fields)  # type: ignore[arg-type]
        return (await self.admin.CreateKey(request)).api_key


@pytest.fixture
def router_settings(tmp_path: Path) -> RouterSettings:
    for name in ("pepper", "signing-key"):
        (tmp_path / name).write_text(secrets.token_hex(32))
    return RouterSettings.model_validate(
        {
            "region": "eu-fr",
            "catalog": {
                "regions": [{"number": 1, "name": "eu-fr"}, {"number": 2, "name": "eu-de"}],
                "models": [
                    {"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 512},
                    {"number": 2, "name": "other-eu", "context_tokens": 64, "max_output_tokens": 64},
                ],
            },
            "listen": {"address": f"unix:{tmp_path}/router"},
            "admin_listen": {"address": f"unix:{tmp_path}/admin"},
            "emitter": {"address": f"unix:{tmp_path}/emitter"},
            "database_file": tmp_path / "router.sqlite",
            "pepper_file": tmp_path / "pepper",
            "signing_key_file": tmp_path / "signing-key",
            "drain_seconds": 2,
        }
    )


@pytest.fixture
async def running(router_settings: RouterSettings) -> AsyncIterator[RunningRouter]:
    clock, log, stop = ManualClock(), MemoryLog(), asyncio.Event()
    serving = asyncio.create_task(Router(router_settings, log, clock).run(stop))
    public = channel(GrpcTarget(address=router_settings.listen.address))
    operators = channel(GrpcTarget(address=router_settings.admin_listen.address))
    async with public, operators:
        await asyncio.wait_for(asyncio.gather(public.channel_ready(), operators.channel_ready()), 5)
        yield RunningRouter(
            settings=router_settings,
            clock=clock,
            log=log,
            router=router_pb2_grpc.RouterServiceStub(public),
            replicas=replica_pb2_grpc.ReplicaServiceStub(public),
            admin=admin_pb2_grpc.AdminServiceStub(operators),
            stop=stop,
            serving=serving,
        )
        stop.set()
        await asyncio.wait_for(serving, 10)


@pytest.fixture(scope="session", autouse=True)
def _grpc_is_ready() -> None:
    grpc.aio.init_grpc_aio()
