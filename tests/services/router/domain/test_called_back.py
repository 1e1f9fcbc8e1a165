"""A released lease is said to the processes of its tickets, once, while that is of use."""

import pytest

from services.kernel.identity import Identity
from services.router.domain import called_back
from services.router.domain.amount import Amount
from services.router.domain.lease import Process, Settlement
from tests.fakes.router import LIMITS, AdmissionWorld
from tests.services.router.domain.test_leases import EIGHT, PAYER, SEVEN, accept, grant, in_flight, reserved

LEASE = Identity(1, 1)


@pytest.fixture
async def world() -> AdmissionWorld:
    """One request with a ticket for replica 7 and one for replica 8."""
    world = AdmissionWorld()
    world.add_replica(7, incarnation=5)
    world.add_replica(8, incarnation=5)
    await reserved(world, 1)
    return world


async def hand_back(world: AdmissionWorld, process: Process) -> None:
    """Says what a replica says of a lease of which it accepted no ticket."""
    unserved = Settlement(LEASE, Identity(0, 0), PAYER, Amount(0), process, is_unserved=True)
    await world.leases.settle(unserved)


async def test_each_process_that_has_a_ticket_is_told_once(world: AdmissionWorld) -> None:
    assert await world.leases.release(LEASE)
    assert [list(world.leases.called_back.take(one)) for one in (SEVEN, EIGHT, SEVEN)] == [
        [LEASE],
        [LEASE],
        [],
    ]
    assert world.leases.called_back.take(Process(9, 5)) == []


async def test_its_place_is_free_as_soon_as_all_of_them_have_handed_it_back(world: AdmissionWorld) -> None:
    await world.leases.release(LEASE)
    await hand_back(world, SEVEN)
    assert world.store.in_flight == 1
    await hand_back(world, EIGHT)
    assert (world.store.in_flight, in_flight(world)) == (0, (0, 0))
    await world.leases.reserve(grant(2))


async def test_what_was_accepted_or_released_before_is_not_called_back(world: AdmissionWorld) -> None:
    await accept(world)
    assert not await world.leases.release(LEASE)
    assert world.leases.called_back.take(SEVEN) == []


async def test_a_process_that_comes_back_later_is_not_told_of_what_is_over(world: AdmissionWorld) -> None:
    await world.leases.release(LEASE)
    world.clock.advance(LIMITS.reserved_seconds)
    assert world.leases.called_back.take(SEVEN) == []


async def test_no_more_is_kept_than_a_bound(world: AdmissionWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(called_back, "_MOST_PROCESSES", 1)
    await world.leases.release(LEASE)
    assert [list(world.leases.called_back.take(one)) for one in (SEVEN, EIGHT)] == [[], [LEASE]]
