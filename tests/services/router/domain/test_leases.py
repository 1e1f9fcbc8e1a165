"""Whatever becomes of a lease, its key, its replica and those who wait for a place learn of it together."""

import asyncio
import contextlib
import random
from collections import deque
from dataclasses import replace

import pytest

from services.contract.ticket import TicketClaims
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.amount import Amount
from services.router.domain.lease import Process, Settlement
from services.router.domain.placement.kinds import Kinds
from services.router.domain.placement.placing import Placement
from services.router.domain.placement.replica import Claims
from services.router.domain.quota import Payer
from services.router.domain.sizing import Size
from services.router.domain.tenancy import Key, Quota, Tenant
from services.router.domain.ticket import Grant, Term, first_claims
from tests.fakes.router import IDLE, LIMITS, TINY, AdmissionWorld, changed_limits

TAKEN = ("reserved", "accepted_unreserved", "recovered")
FREED = ("settled", "released", "cancelled", "lost", "expired")
OTHERS = (
    *("accepted", "accepted_again", "accepted_late", "handed_back"),
    *("settled_unreserved", "settled_after_loss", "settled_again"),
)
PAYER = Payer(1, 1)
TICKET, OTHER_TICKET = Identity(2, 1), Identity(2, 2)
SEVEN, EIGHT = Process(7, 5), Process(8, 5)


def grant(number: int) -> Grant:
    tenant = Tenant(1, "acme", 1, 1)
    key = Key(1, tenant, b"digest", "label", frozenset(), Quota(concurrency=1), 1)
    return Grant(Identity(0, number), Identity(1, number), key, TINY, Size(60, 40, 1024), 10)


def many(number: int) -> Grant:
    one = grant(number)
    return replace(one, key=replace(one.key, quota=Quota(concurrency=30)))


@pytest.fixture
async def world() -> AdmissionWorld:
    """One request with a ticket for replica 7 and one for replica 8, meant for the first."""
    world = AdmissionWorld(limits=changed_limits(place_wait_seconds=30.0))
    world.add_replica(7, incarnation=5)
    world.add_replica(8, incarnation=5)
    await reserved(world, 1)
    return world


def claims(number: int, ticket_id: Identity, attempt: int) -> TicketClaims:
    placement = Placement(SEVEN, "127.0.0.1:1", 10)
    first = first_claims(grant(number), placement, region=1, term=Term(1, 2))
    return replace(first, ticket_id=ticket_id, attempt=attempt)


async def reserved(world: AdmissionWorld, number: int) -> None:
    leases, lease_id = world.leases, Identity(1, number)
    await leases.reserve(grant(number))
    now_seconds = world.clock.monotonic_seconds()
    world.replicas.claim(lease_id, 7, Claims(until_seconds=now_seconds + 2.0), now_seconds)
    await leases.issue(claims(number, TICKET, 1), SEVEN)
    await leases.issue(claims(number, OTHER_TICKET, 2), EIGHT)


async def accept(world: AdmissionWorld, ticket_id: Identity = TICKET, process: Process = SEVEN) -> None:
    await world.leases.accept(process, Identity(1, 1), ticket_id, payer=PAYER, permitted=Amount(100))


async def settle(world: AdmissionWorld, ticket_id: Identity = TICKET, process: Process = SEVEN) -> None:
    await world.leases.settle(Settlement(Identity(1, 1), ticket_id, PAYER, Amount(50), process))


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
    leases = world.leases
    assert await leases.release(Identity(1, 1)) is True
    world.clock.advance(2.0)
    assert await leases.expire() == 0
    assert in_flight(world) == (0, 0)
    waiting = asyncio.create_task(leases.reserve(grant(2)))
    await asyncio.sleep(0)
    assert not waiting.done()
    world.clock.advance(LIMITS.reserved_seconds)
    assert await leases.expire() == 0
    await asyncio.wait_for(waiting, 5)


async def test_a_cancelled_request_is_no_longer_in_flight_and_its_place_is_free(
    world: AdmissionWorld,
) -> None:
    await world.leases.cancel(Identity(1, 1))
    assert in_flight(world) == (0, 0)
    await asyncio.wait_for(world.leases.reserve(grant(2)), 5)


async def test_a_settlement_lets_the_request_go_on_that_waits_for_its_place(world: AdmissionWorld) -> None:
    await accept(world)
    waiting = asyncio.create_task(world.leases.reserve(grant(2)))
    await asyncio.sleep(0)
    await settle(world)
    await asyncio.wait_for(waiting, 5)


async def test_no_more_requests_of_a_key_wait_than_may_run(world: AdmissionWorld) -> None:
    waiting = asyncio.create_task(world.leases.reserve(grant(2)))
    await asyncio.sleep(0)
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(world.leases.reserve(grant(3)), 5)
    assert refusal.value.reason is Reason.CONCURRENCY_EXHAUSTED
    waiting.cancel()


async def test_a_request_that_finds_every_replica_full_goes_on_when_one_is_not(world: AdmissionWorld) -> None:
    attempts: list[int] = []

    def place(_left: Kinds) -> int:
        attempts.append(world.in_flight(7))
        if attempts[-1]:
            raise ComptoirError(Reason.REPLICA_OVERLOADED)
        return 7

    waiting = asyncio.create_task(world.leases.obtain(many(2), place, lambda: 0.0))
    await asyncio.sleep(0)
    await settle(world)
    assert (await asyncio.wait_for(waiting, 5))[1] == 7
    assert attempts[-1] == 0


async def test_a_load_that_fell_is_a_reason_to_try_again(world: AdmissionWorld) -> None:
    is_full = True

    def place(_left: Kinds) -> int:
        if is_full:
            raise ComptoirError(Reason.REPLICA_OVERLOADED)
        return 7

    waiting = asyncio.create_task(world.leases.obtain(many(2), place, lambda: 0.0))
    await asyncio.sleep(0)
    is_full = False
    world.leases.replicas_changed()
    assert (await asyncio.wait_for(waiting, 5))[1] == 7


async def test_a_replica_that_stays_away_frees_what_it_had_accepted(world: AdmissionWorld) -> None:
    await accept(world)
    session = world.sessions[7]
    world.replicas.leave(session, world.clock.monotonic_seconds())
    world.clock.advance(4.9)
    assert await world.leases.lose_gone() == 0
    world.clock.advance(0.1)
    assert await world.leases.lose_gone() == 1
    await asyncio.wait_for(world.leases.reserve(grant(2)), 5)


async def test_another_process_of_a_replica_frees_at_once_what_the_old_one_had_accepted(
    world: AdmissionWorld,
) -> None:
    await accept(world)
    world.replicas.leave(world.sessions[7], world.clock.monotonic_seconds())
    world.add_replica(7, incarnation=6)
    assert await world.leases.lose_gone() == 1
    await asyncio.wait_for(world.leases.reserve(grant(2)), 5)
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
    assert await world.leases.lose_gone() == 0
    assert in_flight(world) == (1, 0)


async def test_an_accepted_request_that_nobody_settles_is_counted_when_it_expires(
    world: AdmissionWorld,
) -> None:
    await accept(world)
    world.clock.advance(LIMITS.accepted_seconds)
    assert await world.leases.expire() == 1
    assert in_flight(world) == (0, 0)


async def test_places_that_were_taken_are_those_that_are_free_again_and_those_in_flight() -> None:
    world, chance = (
        AdmissionWorld(limits=changed_limits(ticket_lifetime_seconds=1.0, acceptance_delay_seconds=0.0)),
        random.Random(7),
    )
    for replica in (7, 8):
        world.add_replica(replica, incarnation=1)
    reserved: deque[int] = deque([-1], maxlen=30)
    for number in range(1_500):
        world.clock.advance(0.1)
        for replica in (7, 8):
            incarnation = _incarnation(number, replica)
            if incarnation > _incarnation(number - 1, replica):
                world.replicas.leave(world.sessions[replica], world.clock.monotonic_seconds())
                world.add_replica(replica, incarnation=incarnation)
            world.replicas.report(world.sessions[replica], IDLE, world.clock.monotonic_seconds())
        await world.leases.lose_gone()
        await world.leases.expire()
        with contextlib.suppress(ComptoirError):
            await world.leases.reserve(many(number))
            for attempt, replica in enumerate((7, 8), start=1):
                ticket = claims(number, Identity(replica, number), attempt)
                await world.leases.issue(ticket, _process(number, replica))
            reserved.append(number)
        if chance.random() < 0.5:
            await _something(world, chance, chance.choice(reserved))
    counts = world.transitions
    taken, freed = (sum(counts[name] for name in names) for names in (TAKEN, FREED))
    assert taken == freed + world.store.in_flight
    assert [name for name in (*TAKEN, *FREED, *OTHERS) if not counts[name]] == []


def _incarnation(number: int, replica: int) -> int:
    """One replica dies after every 97th request, the other after every 89th."""
    return 1 + number // (97 if replica == 7 else 89)


def _process(number: int, replica: int) -> Process:
    return Process(replica, _incarnation(number, replica))


async def _something(world: AdmissionWorld, chance: random.Random, number: int) -> None:
    replica, lease_id = chance.choice((7, 8)), Identity(1, number)
    process, ticket_id = _process(number, replica), Identity(replica, number)
    match chance.randrange(7):
        case 0 | 1 | 2:
            await world.leases.accept(process, lease_id, ticket_id, payer=PAYER, permitted=Amount(100))
        case 3 | 4:
            is_unserved = chance.random() < 0.3
            await world.leases.settle(Settlement(lease_id, ticket_id, PAYER, Amount(5), process, is_unserved))
        case 5:
            await world.leases.release(lease_id)
        case 6:
            await world.leases.cancel(lease_id)
