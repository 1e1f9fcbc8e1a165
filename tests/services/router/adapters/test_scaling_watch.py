"""Decisions are made every second although nobody asks."""

import asyncio

from services.router.adapters.scaling_watch import watch_scaling
from services.router.domain.placement.replica import Load
from tests.services.router.domain.test_desired_replicas import MODEL, Scaled


async def test_what_was_wanted_when_nobody_asked_is_kept() -> None:
    scaled = Scaled()
    session = scaled.world.add_replica(1, load=Load(7, 0, 0, 0.0, is_draining=False))
    watching = asyncio.create_task(watch_scaling(scaled.desired, {MODEL: "tiny-eu"}))
    # Its first decision comes before its first pause.
    await asyncio.sleep(0)
    watching.cancel()
    scaled.clock.advance(1)
    scaled.replicas.report(session, Load(0, 0, 0, 0.0, is_draining=False), scaled.clock.monotonic_seconds())
    assert scaled.desired.decide(MODEL).desired == 4
    await asyncio.wait({watching})
