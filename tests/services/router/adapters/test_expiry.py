"""Leases that nobody uses, and those of a replica that is gone, end while the router runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters import expiry
from services.router.domain.amount import Amount
from services.router.domain.lease import Freed, Process
from services.router.domain.leases import Leases
from services.router.domain.quota import Payer
from tests.contracts.engine_requests import until
from tests.fakes.router import IDLE, LIMITS, AdmissionWorld, request_for


@pytest.fixture
def stopping() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch, stopping: asyncio.Event) -> AsyncIterator[AdmissionWorld]:
    """A router's leases that end in time, with one request for a replica."""
    monkeypatch.setattr(expiry, "_INTERVAL_SECONDS", 0.001)
    world = AdmissionWorld()
    world.add_replica(incarnation=5)
    await world.admitter.admit(request_for(await world.key()))
    expiring = asyncio.create_task(expiry.expire_leases(world.leases, stopping))
    yield world
    if stopping.is_set():
        await asyncio.wait_for(expiring, 5)
    assert expiring.done() == stopping.is_set()
    expiring.cancel()


async def accept(world: AdmissionWorld, leases: Leases) -> None:
    claims = world.signer.signed[0]
    await leases.accept(
        Process(7, 5), claims.lease_id, claims.ticket_id, payer=Payer(1, 1), permitted=Amount(1)
    )


async def test_a_lease_that_nobody_uses_ends(world: AdmissionWorld) -> None:
    world.clock.advance(LIMITS.reserved_seconds)
    await until(lambda: world.store.in_flight == 0, 5)


async def test_a_lease_that_nobody_settles_ends(world: AdmissionWorld) -> None:
    await accept(world, world.leases)
    world.clock.advance(LIMITS.accepted_seconds)
    await until(lambda: world.store.in_flight == 0, 5)


async def test_what_a_replica_accepted_that_is_gone_ends(world: AdmissionWorld) -> None:
    await accept(world, world.leases)
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    world.clock.advance(5.0)
    await until(lambda: world.store.in_flight == 0, 5)


async def test_a_router_that_stood_still_hears_its_replicas_before_it_gives_up_what_they_hold(
    world: AdmissionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept(world, world.leases)
    monkeypatch.setattr(expiry, "_INTERVAL_SECONDS", 0.2)
    monkeypatch.setattr(expiry, "_STOOD_STILL_SECONDS", 0.5)
    lose_gone, looks = world.leases.lose_gone, 0

    async def counted() -> int:
        nonlocal looks
        looks += 1
        return await lose_gone()

    monkeypatch.setattr(world.leases, "lose_gone", counted)
    await until(lambda: looks > 0, 5)
    world.clock.advance(60.0)
    time.sleep(1.0)  # noqa: ASYNC251 - it is the whole process that stands still
    for _ in range(10):
        await asyncio.sleep(0)
    world.replicas.report(world.sessions[7], IDLE, world.clock.monotonic_seconds())
    looked = looks
    await until(lambda: looks > looked, 5)
    assert world.in_flight(7) == 1


async def test_what_a_store_did_not_hear_while_it_was_away_ends_when_it_is_back(
    world: AdmissionWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose, asked = world.store.lose, asyncio.Event()

    async def away(process: Process) -> Sequence[Freed]:
        asked.set()
        raise ComptoirError(Reason.QUOTA_UNAVAILABLE)

    monkeypatch.setattr(world.store, "lose", away)
    await accept(world, world.leases)
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    world.clock.advance(5.0)
    await asyncio.wait_for(asked.wait(), 5)
    monkeypatch.setattr(world.store, "lose", lose)
    await until(lambda: world.store.in_flight == 0, 5)


async def test_what_runs_on_replicas_is_not_given_up_by_a_router_that_stops_and_drains_for_long(
    world: AdmissionWorld, stopping: asyncio.Event
) -> None:
    await accept(world, world.leases)
    stopping.set()
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    world.clock.advance(5.0)
    for _ in range(10):
        await asyncio.sleep(0.002)
    assert world.store.in_flight == 1
