"""Of the engines of one model a request gets one that has what it asks for, with every ticket."""

import asyncio

from services.kernel.engine_features import EngineFeature
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.admission import Admission
from tests.fakes.router import IDLE, AdmissionWorld, changed_limits, refusal_of, request_for
from tests.services.router.domain.waiting_pool import settle

LOGPROBS = EngineFeature.LOGPROBS


async def test_a_request_is_placed_on_the_engine_that_has_what_it_needs() -> None:
    world = AdmissionWorld()
    for number in range(1, 4):
        world.add_replica(number, features=LOGPROBS if number == 2 else 0)
    key = await world.key()
    for _ in range(3):
        admission = await world.admitter.admit(request_for(key, needs=LOGPROBS))
        assert admission.placement.replica == 2


async def test_what_no_engine_of_the_model_has_is_refused_by_name_and_nothing_stays_reserved() -> None:
    world = AdmissionWorld()
    world.add_replica(1, features=0)
    refusal = await refusal_of(world, request_for(await world.key(), needs=LOGPROBS))
    assert (refusal.reason, refusal.field) == (Reason.PARAMETER_UNSUPPORTED, "sampling.logprobs")
    assert world.in_flight(1) == 0


async def test_the_next_ticket_is_for_an_engine_that_has_it_too() -> None:
    world = AdmissionWorld()
    for number, features in enumerate((LOGPROBS, 0, 0, LOGPROBS), 1):
        world.add_replica(number, features=features)
    key = await world.key()
    admission = await world.admitter.admit(request_for(key, needs=LOGPROBS))
    lease = admission.grant.lease_id
    world.replicas.judge(admission.placement.process, world.clock.monotonic_seconds(), has_failed=True)
    offer = await world.admitter.next_offer(key, lease, needs=LOGPROBS)
    assert {admission.placement.address, offer.generator_address} == {"127.0.0.1:9001", "127.0.0.1:9004"}


async def asked(world: AdmissionWorld, api_key: str, needs: int = 0) -> "asyncio.Task[Admission]":
    """Asks, and lets the request get as far as it can."""
    asking = asyncio.create_task(world.admitter.admit(request_for(api_key, needs=needs)))
    await settle()
    return asking


def holding(**replicas: dict[str, int]) -> AdmissionWorld:
    """A router that holds requests, with replicas by number that were ready a second ago."""
    world = AdmissionWorld(limits=changed_limits(hold_seconds=30.0, held_requests=4))
    for number, fields in enumerate(replicas.values(), 1):
        world.add_replica(number, IDLE, **fields)
    world.clock.advance(1.0)
    return world


async def test_a_request_waits_for_the_only_engine_that_has_what_it_needs_while_that_restarts() -> None:
    world = holding(plain={"features": 0}, rich={"features": LOGPROBS})
    world.replicas.leave(world.sessions[2], world.clock.monotonic_seconds())
    world.leases.replica_left()
    asking = await asked(world, await world.key(), LOGPROBS)
    assert not asking.done()
    world.add_replica(2, features=LOGPROBS, incarnation=2)
    world.leases.replicas_changed()
    assert (await asyncio.wait_for(asking, 5)).placement.replica == 2


async def test_it_is_told_to_come_back_where_it_cannot_wait_and_named_once_the_engine_stays_away() -> None:
    world = holding(plain={"features": 0}, rich={"features": LOGPROBS})
    session = world.sessions[1]
    world.replicas.leave(world.sessions[2], world.clock.monotonic_seconds())
    api_key = await world.key()
    held = [await asked(world, api_key, LOGPROBS) for _ in range(2)]
    refusal = await refusal_of(world, request_for(api_key, needs=LOGPROBS))
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.NO_REPLICA, 1.0)
    world.clock.advance(30.0)
    world.replicas.report(session, IDLE, world.clock.monotonic_seconds())
    world.leases.replicas_changed()
    ended = await asyncio.wait_for(asyncio.gather(*held, return_exceptions=True), 5)
    assert [one.reason for one in ended if isinstance(one, ComptoirError)] == [
        Reason.PARAMETER_UNSUPPORTED
    ] * 2


async def test_requests_that_wait_for_an_engine_keep_nobody_from_another_one() -> None:
    """All room to hold requests is taken by those that need what restarts."""
    world = holding(plain={"features": 0, "max_requests": 64}, rich={"features": LOGPROBS})
    world.replicas.leave(world.sessions[2], world.clock.monotonic_seconds())
    held = [await asked(world, await world.key(), LOGPROBS) for _ in range(4)]
    assert world.leases.held == 4
    for _ in range(3):
        assert (await asyncio.wait_for(await asked(world, await world.key()), 5)).placement.replica == 1
    world.add_replica(2, features=LOGPROBS, incarnation=2, max_requests=4)
    # There, and nobody told those who wait: a newcomer does not take what is theirs.
    assert (await asyncio.wait_for(await asked(world, await world.key()), 5)).placement.replica == 1
    world.leases.replicas_changed()
    placed = await asyncio.wait_for(asyncio.gather(*held), 5)
    assert [one.placement.replica for one in placed] == [2] * 4


async def test_a_tenant_waits_for_no_replica_of_another_one() -> None:
    world = holding(own={"tenant": 1})
    own, other = await world.key(tenant="acme"), await world.key(tenant="other")
    refusal = await refusal_of(world, request_for(other))
    assert (refusal.reason, world.leases.held) == (Reason.NO_REPLICA, 0)
    assert (await world.admitter.admit(request_for(own))).placement.replica == 1


async def test_a_tenant_with_a_replica_of_its_own_does_not_wait_behind_others() -> None:
    world = holding(own={"tenant": 1}, shared={"max_requests": 1})
    own, other = await world.key(tenant="acme"), await world.key(tenant="other")
    await world.admitter.admit(request_for(other))
    world.replicas.leave(world.sessions[2], world.clock.monotonic_seconds())
    held = [await asked(world, other) for _ in range(2)]
    assert world.leases.held == 2
    assert (await asyncio.wait_for(await asked(world, own), 5)).placement.replica == 1
    for one in held:
        one.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert world.leases.places.waiting == 0
