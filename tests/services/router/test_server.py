"""RouterService over real gRPC, with a replica that registers as a generator does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.router.v1 import replica_pb2, router_pb2
from comptoir.ticket.v1 import ticket_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.runtime.errors import ComptoirError, Reason
from services.runtime.status import error_from

REGISTRATION = replica_pb2.Registration(
    replica=7,
    region=1,
    model=1,
    address="127.0.0.1:8402",
    context_tokens=1024,
    kv_block_tokens=16,
    kv_blocks=64,
    max_requests=8,
)


def admit(api_key: str, **fields: Any) -> router_pb2.AdmitRequest:
    return router_pb2.AdmitRequest(
        **{"api_key": api_key, "model": "tiny-eu", "prompt_tokens_upper_bound": 100, **fields}
    )


@asynccontextmanager
async def replica(running: Any, registration: replica_pb2.Registration = REGISTRATION) -> AsyncIterator[Any]:
    """A registered, idle replica: its open stream."""
    stream = running.replicas.Report()
    await stream.write(replica_pb2.ReportRequest(registration=registration, load=replica_pb2.Load()))
    await asyncio.wait_for(stream.read(), 5)
    yield stream
    stream.cancel()


async def refused(call: Any) -> ComptoirError:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return error_from(failure.value)


async def test_a_request_is_admitted_with_a_ticket_that_the_public_key_verifies(running: Any) -> None:
    api_key = await running.key()
    async with replica(running):
        response = await running.router.Admit(admit(api_key, max_output_tokens=50))
    (offer,) = response.offers
    assert offer.generator_address == "127.0.0.1:8402"
    seed = bytes.fromhex(Path(running.settings.signing_key_file).read_text())
    Ed25519PrivateKey.from_private_bytes(seed).public_key().verify(
        offer.ticket.signature, b"comptoir-ticket-v1\0" + offer.ticket.claims
    )
    claims = ticket_pb2.TicketClaims.FromString(offer.ticket.claims)
    assert (claims.model, claims.region, claims.replica, claims.attempt) == (1, 1, 7, 1)
    assert (claims.max_input_tokens, claims.max_output_tokens) == (100, 50)
    assert claims.predicted_kv_blocks == 10
    assert (claims.request_id_high, claims.lease_id_high) == (
        response.request_id_high,
        response.lease_id_high,
    )
    assert claims.expires_at_microseconds - claims.issued_at_microseconds <= 60_000_000


async def test_without_a_replica_a_request_is_refused_and_the_refusal_is_recorded(running: Any) -> None:
    api_key = await running.key()
    error = await refused(running.router.Admit(admit(api_key)))
    assert error.reason is Reason.NO_REPLICA
    assert [event.reason for event in running.log.events] == [Reason.NO_REPLICA]
