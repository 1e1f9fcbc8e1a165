"""A whole router in this process: real gRPC over unix sockets, real SQLite, a log kept in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.router.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    replica_pb2,
    replica_pb2_grpc,
    router_pb2,
    router_pb2_grpc,
)
from comptoir.ticket.v1 import ticket_pb2

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from services.router.process import Router
from services.router.settings import RouterSettings
from services.runtime.addresses import GrpcTarget, TlsFiles
from services.runtime.grpc.server import channel
from services.runtime.grpc.status import error_from
from services.runtime.process import live
from tests.fakes.router import MemoryLog

# Of what is there within milliseconds, unless the machine is busy.
WAIT_SECONDS = 30.0


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

    async def key(self, tenant: str = "acme", **fields: Any) -> str:
        """A new key, with its tenant if that is new too."""
        tenants = (await self.admin.ListTenants(admin_pb2.ListTenantsRequest())).tenants
        if all(stored.name != tenant for stored in tenants):
            await self.admin.CreateTenant(admin_pb2.CreateTenantRequest(name=tenant))
        request = admin_pb2.CreateKeyRequest(tenant=tenant, **fields)
        return (await self.admin.CreateKey(request)).api_key

    @asynccontextmanager
    async def replica(self, **fields: Any) -> AsyncIterator["ReportStream"]:
        """A registered, idle replica for as long as the block lasts."""
        stream = ReportStream(self.replicas.Report())
        await stream.say(registration=registration_message(**fields), load=replica_pb2.Load())
        yield stream
        stream.cancel()


class ReportStream:
    """A replica's open stream."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def say(self, **fields: Any) -> list[replica_pb2.LeaseIdentity]:
        """Send one report and return the leases that the router closed."""
        return list((await self.report(**fields)).closed)

    async def report(self, **fields: Any) -> replica_pb2.ReportResponse:
        """Send one report and return the answer."""
        await self._call.write(replica_pb2.ReportRequest(**fields))
        return await self.answer()

    async def tell(self, **fields: Any) -> None:
        """Send one report whose answer may wait."""
        await self._call.write(replica_pb2.ReportRequest(**fields, may_answer_later=True))

    async def answer(self) -> replica_pb2.ReportResponse:
        """Return the next answer."""
        response = await asyncio.wait_for(self._call.read(), WAIT_SECONDS)
        if response is grpc.aio.EOF:
            await self._call
        assert isinstance(response, replica_pb2.ReportResponse)
        return response

    async def ended(self) -> ComptoirError:
        """Wait until the router ends the stream and return why."""
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await asyncio.wait_for(self._call.read(), WAIT_SECONDS)
        return error_from(failure.value)

    def cancel(self) -> None:
        """Break the stream, as a replica does that is killed."""
        self._call.cancel()


def registration_message(**fields: Any) -> replica_pb2.Registration:
    """Replica 7 of the tiny model, with other values where given."""
    values = {
        "replica": 7,
        "region": 1,
        "model": 1,
        "address": "127.0.0.1:8402",
        "context_tokens": 1024,
        "kv_block_tokens": 16,
        "kv_blocks": 64,
        "max_requests": 8,
        **fields,
    }
    return replica_pb2.Registration(**values)


def admit(api_key: str, **fields: Any) -> router_pb2.AdmitRequest:
    """A small request for the tiny model."""
    values = {"model": "tiny-eu", "prompt_tokens_upper_bound": 100, "max_output_tokens": 50, **fields}
    return router_pb2.AdmitRequest(api_key=api_key, **values)


def next_offer(api_key: str, admitted: router_pb2.AdmitResponse) -> router_pb2.NextOfferRequest:
    """A question for another ticket of a lease."""
    return router_pb2.NextOfferRequest(
        api_key=api_key, lease_id_high=admitted.lease_id_high, lease_id_low=admitted.lease_id_low
    )


async def offered(running: RunningRouter, api_key: str) -> list[str]:
    """The addresses of the replicas that a request may go to, in their order: it is admitted and asks on."""
    admitted = await running.router.Admit(admit(api_key))
    addresses = [admitted.offer.generator_address]
    while True:
        try:
            more = await running.router.NextOffer(next_offer(api_key, admitted))
        except grpc.aio.AioRpcError:
            return addresses
        addresses.append(more.offer.generator_address)


def claims(admitted: router_pb2.AdmitResponse | router_pb2.NextOfferResponse) -> ticket_pb2.TicketClaims:
    """What a ticket says."""
    return ticket_pb2.TicketClaims.FromString(admitted.offer.ticket.claims)


def acceptance(admitted: router_pb2.AdmitResponse | router_pb2.NextOfferResponse) -> replica_pb2.Acceptance:
    """What a replica says when it has accepted a ticket."""
    ticket = claims(admitted)
    return replica_pb2.Acceptance(
        ticket_id_high=ticket.ticket_id_high,
        ticket_id_low=ticket.ticket_id_low,
        lease_id_high=ticket.lease_id_high,
        lease_id_low=ticket.lease_id_low,
        key=ticket.key,
        max_tokens=ticket.max_input_tokens + ticket.max_output_tokens,
    )


def settlement(
    admitted: router_pb2.AdmitResponse | router_pb2.NextOfferResponse,
    tokens: int = 20,
    *,
    is_unserved: bool = False,
) -> replica_pb2.Settlement:
    """What a replica says when the request with a ticket ended."""
    ticket = claims(admitted)
    return replica_pb2.Settlement(
        lease_id_high=ticket.lease_id_high,
        lease_id_low=ticket.lease_id_low,
        input_tokens=tokens,
        output_tokens=tokens,
        ticket_id_high=ticket.ticket_id_high,
        ticket_id_low=ticket.ticket_id_low,
        key=ticket.key,
        is_unserved=is_unserved,
    )


def release(admitted: router_pb2.AdmitResponse) -> router_pb2.ReleaseRequest:
    """A lease to give back."""
    return router_pb2.ReleaseRequest(lease_id_high=admitted.lease_id_high, lease_id_low=admitted.lease_id_low)


async def admitted_soon(running: RunningRouter, api_key: str) -> router_pb2.AdmitResponse:
    """What a caller gets who tries again until the router has noticed what happened."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            try:
                return await running.router.Admit(admit(api_key))
            except grpc.aio.AioRpcError:
                continue


async def refused(call: Awaitable[object]) -> ComptoirError:
    """The error that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return error_from(failure.value)


def settings_in(folder: Path, **fields: Any) -> RouterSettings:
    """Settings of a router that keeps all it needs, sockets too, in one folder."""
    for name in ("pepper", "signing-key"):
        (folder / name).write_text(secrets.token_hex(32))
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
            "listen": {"address": f"unix:{folder}/router"},
            "replica_listen": {"address": f"unix:{folder}/replicas"},
            "admin_listen": {"address": f"unix:{folder}/admin"},
            "emitter": {"address": f"unix:{folder}/emitter"},
            "database_file": folder / "router.sqlite",
            "pepper_file": folder / "pepper",
            "signing_key_file": folder / "signing-key",
            "drain_seconds": 2,
            "hold_seconds": 0,
            **fields,
        }
    )


@asynccontextmanager
async def running_router(
    settings: RouterSettings, generator_tls: TlsFiles | None = None, *, admin_tls: TlsFiles | None = None
) -> AsyncIterator[RunningRouter]:
    """Start a router and stop it when the block ends."""
    clock, log, stop = ManualClock(), MemoryLog(), asyncio.Event()
    serving = asyncio.create_task(live(Router(settings, log, clock), stop))
    public = channel(GrpcTarget(address=settings.listen.address))
    generators = channel(GrpcTarget(address=settings.replica_listen.address, tls=generator_tls))
    operators = channel(GrpcTarget(address=settings.admin_listen.address, tls=admin_tls))
    async with public, generators, operators:
        ready = asyncio.gather(*(one.channel_ready() for one in (public, generators, operators)))
        await asyncio.wait_for(ready, WAIT_SECONDS)
        yield RunningRouter(
            settings=settings,
            clock=clock,
            log=log,
            router=router_pb2_grpc.RouterServiceStub(public),
            replicas=replica_pb2_grpc.ReplicaServiceStub(generators),
            admin=admin_pb2_grpc.AdminServiceStub(operators),
            stop=stop,
            serving=serving,
        )
        stop.set()
        await asyncio.wait_for(serving, WAIT_SECONDS)
