"""Whatever becomes of a lease, its key, its replica and those who wait for a place learn of it together."""

import asyncio
from dataclasses import replace

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.lease import Process, Settlement
from services.router.domain.sizing import Size
from services.router.domain.tenancy import Key, Quota, Tenant
from services.router.domain.ticket import Grant
from tests.fakes.router import IDLE, TERMS, TINY, AdmissionWorld

TICKET, OTHER_TICKET = Identity(2, 1), Identity(2, 2)
SEVEN, EIGHT = Process(7, 5), Process(8, 5)


def grant(number: int) -> Grant:
    tenant = Tenant(1, "acme", 1, 1)
    key = Key(1, tenant, b"digest", "label", frozenset(), Quota(concurrency=1), 1)
    return Grant(Identity(0, number), Identity(1, number), key, TINY, Size(60, 40, 1024), 10)


@pytest.fixture
async def world() -> AdmissionWorld:
    """One request with a ticket for replica 7 and one for replica 8, meant for the first."""
    world = AdmissionWorld(terms=replace(TERMS, place_wait_seconds=30.0))
    world.add_replica(7, incarnation=5)
    world.add_replica(8, incarnation=5)
    await reserved(world, 1)
    return world


async def reserved(world: AdmissionWorld, number: int) -> None:
    desk, lease_id = world.lease_desk, Identity(1, number)
    await desk.reserve(grant(number))
    world.replicas.assign(lease_id, 7, until_seconds=world.clock.monotonic_seconds() + 2.0)
    await desk.issue(lease_id, {TICKET: SEVEN, OTHER_TICKET: EIGHT})


async def accept(world: AdmissionWorld, ticket_id: Identity = TICKET, process: Process = SEVEN) -> None:
    await world.lease_desk.accept(process, Identity(1, 1), ticket_id, key=1, tokens=100)


async def settle(world: AdmissionWorld, ticket_id: Identity = TICKET, process: Process = SEVEN) -> None:
    await world.lease_desk.settle(Settlement(Identity(1, 1), ticket_id, 1, 50, process))


def in_flight(world: AdmissionWorld) -> tuple[int, int]:
    return world.in_flight(7), world.in_flight(8)


async def test_a_settled_request_is_no_longer_in_flight(world: AdmissionWorld) -> None:
    assert in_flight(world) == (1, 0)
    await settle(world)
    assert in_flight(world) == (0, 0)


async def test_a_request_is_in_flight_where_it_was_accepted(world: AdmissionWorld) -> None:
    await accept(world, OTHER_TICKET, EIGHT)
    assert in_flight(world) == (0, 1)
    await settle(world, OTHER_TICKET, EIGHT)
    assert in_flight(world) == (0, 0)


async def test_a_lease_that_is_used_twice_is_in_flight_twice(world: AdmissionWorld) -> None:
    await accept(world)
    await accept(world, OTHER_TICKET, EIGHT)
    assert in_flight(world) == (1, 1)
    await settle(world)
    assert in_flight(world) == (0, 1)


async def test_what_is_said_again_after_its_end_is_not_in_flight(world: AdmissionWorld) -> None:
    await settle(world)
    await accept(world)
    assert in_flight(world) == (0, 0)


async def test_an_unused_ticket_keeps_its_key_waiting_and_its_replica_for_two_seconds_only(
    world: AdmissionWorld,
) -> None:
    desk = world.lease_desk
    assert await desk.release(Identity(1, 1)) is True
    world.clock.advance(2.0)
    assert await desk.expire() == 0
    assert in_flight(world) == (0, 0)
    waiting = asyncio.create_task(desk.reserve(grant(2)))
    await asyncio.sleep(0)
    assert not waiting.done()
    world.clock.advance(TERMS.reserved_seconds)
    assert await desk.expire() == 0
    await asyncio.wait_for(waiting, 5)


async def test_a_cancelled_request_is_no_longer_in_flight_and_its_place_is_free(
    world: AdmissionWorld,
) -> None:
    await world.lease_desk.cancel(Identity(1, 1))
    assert in_flight(world) == (0, 0)
    await asyncio.wait_for(world.lease_desk.reserve(grant(2)), 5)


async def test_a_settlement_lets_the_request_go_on_that_waits_for_its_place(world: AdmissionWorld) -> None:
    await accept(world)
    waiting = asyncio.create_task(world.lease_desk.reserve(grant(2)))
    await asyncio.sleep(0)
    await settle(world)
    await asyncio.wait_for(waiting, 5)


async def test_no_more_requests_of_a_key_wait_than_may_run(world: AdmissionWorld) -> None:
    waiting = asyncio.create_task(world.lease_desk.reserve(grant(2)))
    await asyncio.sleep(0)
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(world.lease_desk.reserve(grant(3)), 5)
    assert refusal.value.reason is Reason.CONCURRENCY_EXHAUSTED
    waiting.cancel()


async def test_a_request_that_finds_every_replica_full_goes_on_when_one_is_not(world: AdmissionWorld) -> None:
    attempts: list[int] = []

    async def place() -> int:
        attempts.append(world.in_flight(7))
        if attempts[-1]:
            raise ComptoirError(Reason.REPLICA_OVERLOADED)
        return 7

    waiting = asyncio.create_task(world.lease_desk.when_placed(1, place))
    await asyncio.sleep(0)
    await settle(world)
    assert await asyncio.wait_for(waiting, 5) == 7
    assert attempts[-1] == 0


async def test_a_load_that_fell_is_a_reason_to_try_again(world: AdmissionWorld) -> None:
    is_full = True

    async def place() -> int:
        if is_full:
            raise ComptoirError(Reason.REPLICA_OVERLOADED)
        return 7

    waiting = asyncio.create_task(world.lease_desk.when_placed(1, place))
    await asyncio.sleep(0)
    is_full = False
    world.lease_desk.load_changed()
    assert await asyncio.wait_for(waiting, 5) == 7


async def test_a_replica_that_stays_away_frees_what_it_had_accepted(world: AdmissionWorld) -> None:
    await accept(world)
    session = world.sessions[7]
    world.replicas.leave(session, world.clock.monotonic_seconds())
    world.clock.advance(4.9)
    assert await world.lease_desk.lose_gone() == 0
    world.clock.advance(0.1)
    assert await world.lease_desk.lose_gone() == 1
    await asyncio.wait_for(world.lease_desk.reserve(grant(2)), 5)


async def test_another_process_of_a_replica_frees_at_once_what_the_old_one_had_accepted(
    world: AdmissionWorld,
) -> None:
    await accept(world)
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    world.add_replica(7, incarnation=6)
    assert await world.lease_desk.lose_gone() == 1
    await asyncio.wait_for(world.lease_desk.reserve(grant(2)), 5)
    # What it had used is known after all: it counts for nothing else any more.
    await settle(world)
    assert in_flight(world) == (0, 0)


async def test_a_replica_that_comes_back_in_time_keeps_what_it_has(world: AdmissionWorld) -> None:
    await accept(world)
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    world.clock.advance(4.0)
    world.add_replica(7, incarnation=5)
    await accept(world)
    world.clock.advance(4.0)
    world.replicas.report(world.sessions[7], IDLE, world.clock.monotonic_seconds())
    world.replicas.report(world.sessions[8], IDLE, world.clock.monotonic_seconds())
    assert await world.lease_desk.lose_gone() == 0
    assert in_flight(world) == (1, 0)


async def test_an_accepted_request_that_nobody_settles_is_counted_when_it_expires(
    world: AdmissionWorld,
) -> None:
    await accept(world)
    world.clock.advance(TERMS.accepted_seconds)
    assert await world.lease_desk.expire() == 1
    assert in_flight(world) == (0, 0)
