"""Health follows whether any replica gets requests, and the log says since when none does."""

import asyncio

import pytest

from services.router.adapters.ready_follower import follow_readiness
from services.router.domain.roster import Roster
from tests.fakes.router import LIMITS, AdmissionWorld


async def test_health_is_told_at_once_and_at_every_change(capsys: pytest.CaptureFixture[str]) -> None:
    world = AdmissionWorld()
    told: asyncio.Queue[bool] = asyncio.Queue()
    following = asyncio.create_task(follow_readiness(Roster(world.replicas, LIMITS, world.clock), told.put))
    async with asyncio.timeout(5):
        assert await told.get() is False
        session = world.add_replica()
        assert await told.get() is True
        world.replicas.leave(session, world.clock.monotonic_seconds())
        assert await told.get() is False
    following.cancel()
    assert told.empty()
    assert capsys.readouterr().out.count("no_replica_ready") == 1
