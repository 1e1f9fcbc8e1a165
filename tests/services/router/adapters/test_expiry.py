"""Leases that nobody settles are closed while the router runs."""

import asyncio

import pytest

from services.router.adapters import expiry
from services.router.domain.leases import LeaseDesk
from services.router.domain.quota import Reservation
from services.router.domain.tenancy import Quota
from services.runtime.identity import Identity
from tests.fakes.router import AdmissionWorld

LEASE = Identity(1, 1)


class WatchedDesk(LeaseDesk):
    """Tells when it closed something."""

    closed = asyncio.Event()

    async def expire(self, now_seconds: float) -> int:
        expired = await super().expire(now_seconds)
        if expired:
            self.closed.set()
        return expired


async def test_a_forgotten_lease_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "_INTERVAL_SECONDS", 0.001)
    world = AdmissionWorld()
    world.add_replica()
    now_seconds = world.clock.monotonic_seconds()
    await world.leases.reserve(Reservation(LEASE, 1, Quota(), 1, now_seconds + 60), now_seconds)
    world.replicas.assign(LEASE, 7)
    desk = WatchedDesk(world.leases, world.replicas)
    expiring = asyncio.create_task(expiry.expire_leases(desk, world.clock))
    world.clock.advance(60)
    await asyncio.wait_for(desk.closed.wait(), 5)
    assert world.in_flight() == 0
    assert not expiring.done()
    expiring.cancel()
