"""Whichever way a lease ends, its request no longer counts on its replica."""

import pytest

from services.router.domain.leases import LeaseDesk
from services.router.domain.quota import Reservation
from services.router.domain.tenancy import Quota
from services.runtime.identity import Identity
from tests.fakes.router import AdmissionWorld, registration

LEASE = Identity(1, 1)


@pytest.fixture
async def world() -> AdmissionWorld:
    world = AdmissionWorld()
    world.add_replica()
    await world.leases.reserve(Reservation(LEASE, 1, Quota(), 100, expires_at_seconds=1_060), 1_000)
    world.replicas.assign(LEASE, 7)
    assert world.in_flight() == 1
    return world


async def test_a_settled_request_is_no_longer_in_flight(world: AdmissionWorld) -> None:
    await LeaseDesk(world.leases, world.replicas).settle(LEASE, 10, 1_001)
    assert world.in_flight() == 0


async def test_a_released_request_is_no_longer_in_flight(world: AdmissionWorld) -> None:
    desk = LeaseDesk(world.leases, world.replicas)
    assert await desk.release(LEASE, 1_001) is True
    assert world.in_flight() == 0
    assert await desk.release(LEASE, 1_001) is False


async def test_a_cancelled_request_is_no_longer_in_flight(world: AdmissionWorld) -> None:
    await LeaseDesk(world.leases, world.replicas).cancel(LEASE, 1_001)
    assert world.in_flight() == 0


async def test_a_request_whose_replica_restarted_is_no_longer_in_flight() -> None:
    world = AdmissionWorld()
    world.add_replica(incarnation=5)
    await world.leases.reserve(Reservation(LEASE, 1, Quota(), 100, expires_at_seconds=1_060), 1_000)
    world.replicas.assign(LEASE, 7)
    desk = LeaseDesk(world.leases, world.replicas)
    assert await desk.lose(registration(7, incarnation=5)) == 0
    assert await desk.lose(registration(7, incarnation=6)) == 1
    assert world.in_flight() == 0
    assert await desk.release(LEASE, 1_001) is False


async def test_an_expired_request_is_no_longer_in_flight(world: AdmissionWorld) -> None:
    desk = LeaseDesk(world.leases, world.replicas)
    assert await desk.expire(1_059) == 0
    assert await desk.expire(1_060) == 1
    assert world.in_flight() == 0
