"""Decisions are made every second although nobody asks, and say which replicas do not start."""

import asyncio
from dataclasses import replace

import structlog

from services.router.adapters.scaling_watch import watch_scaling
from services.router.domain.placement.replica import Load
from tests.fakes.router import registration
from tests.services.router.domain.test_desired_replicas import MODEL, Scaled
from tests.services.runtime.metrics.collecting import collected


async def test_what_was_wanted_when_nobody_asked_is_kept() -> None:
    scaled = Scaled()
    session = scaled.world.add_replica(1, load=Load(7, 0, 0, 0.0, is_draining=False))
    names = {MODEL: "tiny-eu", MODEL + 1: "other-eu"}
    with collected() as shown:
        watching = asyncio.create_task(watch_scaling(scaled.desired, names))
        # Its first decision comes before its first pause.
        await asyncio.sleep(0)
        watching.cancel()
        desired = "comptoir.router.desired_replicas"
        assert shown.value(desired, gen_ai__request__model="tiny-eu") == 4
        assert shown.value(desired, gen_ai__request__model="other-eu") == 0
    scaled.clock.advance(1)
    scaled.replicas.report(session, Load(0, 0, 0, 0.0, is_draining=False), scaled.clock.monotonic_seconds())
    assert scaled.desired.decide(MODEL).desired == 4
    await asyncio.wait({watching})


async def test_replicas_that_do_not_start_are_said_once() -> None:
    scaled = Scaled()
    for incarnation in range(1, 5):
        scaled.replicas.register(replace(registration(2), incarnation=incarnation), 0.0)
        scaled.desired.decide(MODEL)
        scaled.replicas.gone(1_000.0)
    with structlog.testing.capture_logs() as said:
        watching = asyncio.create_task(watch_scaling(scaled.desired, {MODEL: "tiny-eu"}))
        await asyncio.sleep(0)
        watching.cancel()
        await asyncio.wait({watching})
    assert [line["count"] for line in said if line["event"] == "replicas_do_not_start"] == [1]
