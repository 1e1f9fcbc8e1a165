"""A batch request that is held back has nothing reserved, and others are admitted as ever."""

import asyncio
from typing import Any

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.admission import Admission, AdmitRequest
from services.router.domain.batch_holding import BatchRules
from services.router.domain.peak_windows import PeakWindow
from services.router.domain.tenancy import Priority, Quota
from tests.contracts.engine_requests import until
from tests.fakes.router import IDLE, AdmissionWorld, changed_limits, refusal_of, request_for

DAY = PeakWindow.model_validate({"begins_at": "00:00", "ends_at": "23:00", "time_zone": "UTC"})


def held_world(**limits: Any) -> AdmissionWorld:
    world = AdmissionWorld(
        limits=changed_limits(**{"batch": BatchRules(peak_windows=(DAY,)), "hold_seconds": 30.0, **limits})
    )
    # Ten seconds before it ends.
    day_seconds = world.clock.wall_microseconds() / 1_000_000 % 86_400
    world.clock.advance(86_400 + 23 * 3600 - 10 - day_seconds)
    world.add_replica()
    return world


def pass_peak(world: AdmissionWorld) -> None:
    """Goes to the end of the peak, and has the watch look."""
    world.clock.advance(11)
    world.replicas.report(world.sessions[7], IDLE, world.clock.monotonic_seconds())
    world.leases.places.free_batch()


def of(api_key: str, priority: Priority = Priority.BATCH) -> AdmitRequest:
    return request_for(api_key, priority=priority)


async def asked(world: AdmissionWorld, request: AdmitRequest) -> "asyncio.Task[Admission]":
    asking = asyncio.create_task(world.admitter.admit(request))
    await until(lambda: world.leases.held > 0 or asking.done(), 5)
    return asking


async def test_batch_waits_with_nothing_reserved_while_others_are_admitted() -> None:
    world = held_world()
    one_at_a_time = await world.key(quota=Quota(requests_per_minute=2, concurrency=1))
    batch = await asked(world, of(one_at_a_time))
    assert (batch.done(), world.store.in_flight, world.in_flight()) == (False, 0, 0)
    admitted = await world.admitter.admit(of(one_at_a_time, Priority.DEFAULT))
    assert world.store.in_flight == 1
    await world.leases.cancel(admitted.grant.lease_id)
    pass_peak(world)
    await asyncio.wait_for(batch, 5)
    assert (world.store.in_flight, world.log.reasons[-1]) == (1, Reason.UNSPECIFIED)


async def test_batch_that_is_cancelled_while_it_is_held_back_leaves_nothing() -> None:
    world = held_world()
    batch = await asked(world, of(await world.key()))
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert (world.leases.held, world.store.in_flight, world.in_flight()) == (0, 0, 0)
    assert not world.leases.places.waiting


async def test_a_class_above_the_key_s_is_lowered_to_batch_and_held_back() -> None:
    world = held_world(hold_seconds=5.0)
    api_key = await world.key(best_priority=Priority.BATCH)
    refusal = await refusal_of(world, of(api_key, Priority.INTERACTIVE))
    assert refusal.reason is Reason.BATCH_HELD_BACK
    assert refusal.retry_after_seconds == pytest.approx(10, abs=0.2)
    assert world.store.in_flight == 0
    event = world.log.events[-1]
    assert (event.reason, event.priority) == (Reason.BATCH_HELD_BACK, Priority.BATCH)


async def test_quota_that_is_spent_is_told_before_the_hold() -> None:
    world = held_world()
    api_key = await world.key(quota=Quota(requests_per_minute=1))
    await world.admitter.admit(of(api_key, Priority.DEFAULT))
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(world.admitter.admit(of(api_key)), 5)
    assert refusal.value.reason is Reason.REQUESTS_EXHAUSTED


async def test_batch_begins_at_its_deadline_though_the_peak_lasts_longer_than_it_may_wait() -> None:
    world = held_world(batch=BatchRules(peak_windows=(DAY,), deadline_seconds=5.0), hold_seconds=8.0)
    batch = await asked(world, of(await world.key()))
    assert not batch.done()
    world.clock.advance(4.9)
    world.leases.places.free_batch()
    await asyncio.sleep(0)
    assert (batch.done(), world.leases.held) == (False, 1)
    world.clock.advance(0.1)
    world.replicas.report(world.sessions[7], IDLE, world.clock.monotonic_seconds())
    world.leases.places.free_batch()
    await asyncio.wait_for(batch, 5)
    assert (world.leases.held, world.log.reasons[-1]) == (0, Reason.UNSPECIFIED)
