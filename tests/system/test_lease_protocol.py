"""Router and replicas in one process, over real gRPC: what is used is charged, whatever is released.

The clock stands still, so no quota comes back with time and the sums are exact.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import admin_pb2, router_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.generator.adapters.ed25519_signatures import Ed25519Signatures
from services.generator.adapters.router_link import RouterLink
from services.generator.adapters.simulated.engine import SimulatedEngine
from services.generator.domain.accepted import SharedParts
from services.generator.domain.counting import TokenCounts
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.generations import Generations
from services.generator.domain.model_description import ModelDescription
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.ticket import Replica, TicketGate
from services.generator.server.generation import GeneratorService
from services.kernel.clock import SystemClock
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.grpc.server import build_server
from services.runtime.settings import read_secret
from tests.fakes.running_router import (
    WAIT_SECONDS,
    RunningRouter,
    admit,
    admitted_soon,
    next_offer,
    offered,
    release,
    running_router,
    settings_in,
)
from tests.services.generator.running import RememberingSink

PARAMETERS = SimulatedParameters(ttft_seconds=0.002, itl_seconds=0.002)
OUTPUT_TOKENS = 100


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningRouter]:
    async with running_router(settings_in(tmp_path)) as running:
        yield running


@asynccontextmanager
async def replica(running: RunningRouter, number: int) -> AsyncIterator[None]:
    """A replica that is registered for as long as the block lasts."""
    clock, me = running.clock, Replica(number=number, region=1, model=1)
    seed = read_secret(running.settings.signing_key_file, length_bytes=32)
    address = f"unix:{running.settings.signing_key_file.parent}/generator-{number}"
    engine, recorder = (
        SimulatedEngine(ServedModel(1024), PARAMETERS, SystemClock()),
        UsageRecorder(RememberingSink(), max_unrecorded=50),
    )
    await engine.start()
    target = GrpcTarget(address=running.settings.replica_listen.address)
    link = RouterLink(target, clock, interval_seconds=0.5, lifetime_seconds=660.0)
    link.register(me, address, engine.capabilities, 20, incarnation=number)
    shared = SharedParts(engine, recorder, link, clock, b"s" * 32, 60.0, 64)
    gate = TicketGate(me, started_at_microseconds=clock.wall_microseconds())
    generations = Generations(shared, gate, max_requests=20, load_changed=link.load_changed)
    server = build_server(GrpcListen(address=address), clock=clock)
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    counts = TokenCounts(engine, gate, clock, max_bytes_per_token=64)
    model = ModelDescription("tiny-eu", 1024, "", engine.capabilities)
    GeneratorService(server, generations, counts, Ed25519Signatures({1: public_key}), clock, model)
    await server.start()
    reporting = asyncio.create_task(link.run(generations.load, call_back=generations.call_back))
    try:
        yield
    finally:
        reporting.cancel()
        await asyncio.wait({reporting})
        await link.close()
        await server.drain(0)


@asynccontextmanager
async def used(offer: router_pb2.TicketOffer) -> AsyncIterator[Any]:
    """An accepted generation on the replica of an offer."""
    message = generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text="Bonjour")
    request = generator_pb2.GenerateRequest(ticket=offer.ticket, messages=[message], is_streamed=True)
    async with grpc.aio.insecure_channel(offer.generator_address) as channel:
        call: Any = generator_pb2_grpc.GeneratorServiceStub(channel).Generate(request, timeout=30)
        await call.read()
        yield call


async def tokens_of(call: Any) -> int:
    """What a generation used, once it is whole."""
    while (answer := await call.read()) is not grpc.aio.EOF:
        if answer.HasField("finished"):
            return int(answer.finished.input_tokens + answer.finished.output_tokens)
    raise AssertionError("the answer is not whole")


@pytest.mark.parametrize("releases_first", [True, False])
async def test_a_lease_that_is_released_and_used_is_charged_and_holds_its_place(
    running: RunningRouter, *, releases_first: bool
) -> None:
    quota = admin_pb2.Quota(tokens_per_minute=2_000, concurrency=2)
    api_key, used_tokens, refused = await running.key(quota=quota), [], 0

    async def attack() -> None:
        admitted = await running.router.Admit(admit(api_key, max_output_tokens=OUTPUT_TOKENS))
        if releases_first:
            await running.router.Release(release(admitted))
        async with used(admitted.offer) as call:
            await running.router.Release(release(admitted))
            used_tokens.append(await tokens_of(call))

    async with replica(running, 7):
        await running.router.Release(release(await admitted_soon(running, await running.key())))
        for _ in range(12):
            results = await asyncio.gather(*(attack() for _ in range(4)), return_exceptions=True)
            refused += sum(isinstance(result, grpc.aio.AioRpcError) for result in results)
    assert 0 < sum(used_tokens) <= 2_000
    assert refused + len(used_tokens) == 12 * 4


async def test_a_lease_that_is_released_and_not_used_frees_its_place_long_before_its_ticket_is_dead(
    running: RunningRouter,
) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1))
    async with replica(running, 7):
        admitted = await admitted_soon(running, api_key)
        assert (await running.router.Release(release(admitted))).is_released
        # The router's clock stands still: no ticket of it ever dies.
        await admitted_soon(running, api_key)
        with pytest.raises(grpc.aio.AioRpcError):
            async with used(admitted.offer) as call:
                await tokens_of(call)


async def test_every_ticket_of_a_lease_that_is_used_is_charged(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(tokens_per_minute=10_000, concurrency=1))
    async with AsyncExitStack() as stack:
        for number in (7, 8, 9):
            await stack.enter_async_context(replica(running, number))
        anybody = await running.key()
        await admitted_soon(running, anybody)
        async with asyncio.timeout(WAIT_SECONDS):
            while len(await offered(running, anybody)) < 3:
                pass
        admitted = await running.router.Admit(admit(api_key, max_output_tokens=OUTPUT_TOKENS))
        question = next_offer(api_key, admitted)
        more = [(await running.router.NextOffer(question)).offer for _ in range(2)]
        calls = [await stack.enter_async_context(used(offer)) for offer in (admitted.offer, *more)]
        spent_tokens = await asyncio.gather(*(tokens_of(call) for call in calls))
        again = await admitted_soon(running, api_key)
    assert min(spent_tokens) >= OUTPUT_TOKENS
    assert again.quota.remaining_tokens == 10_000 - sum(spent_tokens) - 150


async def test_a_client_that_asks_one_thing_after_another_is_never_refused(running: RunningRouter) -> None:
    api_key = await running.key(quota=admin_pb2.Quota(concurrency=1))
    async with replica(running, 7):
        await admitted_soon(running, await running.key())
        for _ in range(20):
            admitted = await running.router.Admit(admit(api_key, max_output_tokens=2))
            async with used(admitted.offer) as call:
                await tokens_of(call)
