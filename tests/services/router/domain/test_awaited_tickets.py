"""Another ticket of a key at its limits: its caller may hear of its replica's end before the router does."""

import asyncio

import pytest

from services.contract.ticket import TicketClaims
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.admission import Admission
from services.router.domain.ticket import TicketOffer
from tests.fakes.router import LIMITS, changed_limits
from tests.services.router.domain.test_offers import ALONE, Scene

WAIT_SECONDS = 5


class Waiting(Scene):
    """A request of a key with one place, whose replica has it; its caller asks for another ticket."""

    def __init__(self) -> None:
        super().__init__(2, changed_limits(further_ticket_wait_seconds=30.0))
        self.admission: Admission
        self.asked: asyncio.Task[TicketOffer]

    async def begin(self) -> TicketClaims:
        """Returns the ticket that its replica holds, once the caller waits."""
        self.admission = await self.admitted(ALONE)
        (ticket,) = self.signed
        await self.accept(ticket)
        self.asked = asyncio.create_task(self.another(self.admission))
        while not self.world.in_flight(3 - ticket.replica):  # noqa: ASYNC110 - a place tells nobody
            await asyncio.sleep(0)
        return ticket

    async def assert_moved_on(self) -> None:
        offer = await asyncio.wait_for(self.asked, WAIT_SECONDS)
        assert offer.generator_address != self.admission.offer.generator_address


async def test_a_caller_that_hears_of_a_refusal_before_the_router_waits_for_its_word() -> None:
    scene = Waiting()
    await scene.refuse(await scene.begin())
    await scene.assert_moved_on()
    assert scene.world.transitions["reserved"] == 1


async def test_the_replica_leaves_while_its_caller_waits() -> None:
    scene = Waiting()
    ticket = await scene.begin()
    now_seconds = scene.world.clock.monotonic_seconds()
    scene.world.replicas.leave(scene.world.sessions[ticket.replica], now_seconds)
    scene.world.leases.replica_left()
    await scene.assert_moved_on()
    assert scene.world.transitions["reserved"] == 2
    assert scene.world.transitions["lost"] == 0


@pytest.mark.parametrize("is_restarted", [True, False], ids=["is restarted", "falls silent"])
async def test_the_replica_is_given_up_while_its_caller_waits(is_restarted: bool) -> None:
    scene = Waiting()
    ticket = await scene.begin()
    if is_restarted:
        scene.restart(ticket.replica, incarnation=6)
    else:
        scene.world.clock.advance(LIMITS.replica_silent_seconds + 1)
    assert await scene.world.leases.lose_gone() == 1
    await scene.assert_moved_on()
    assert scene.world.transitions["lost"] == 1


async def test_another_replica_that_leaves_changes_nothing_for_a_caller_whose_own_is_well() -> None:
    scene = Waiting()
    ticket = await scene.begin()
    scene.world.add_replica(3, incarnation=5)
    scene.world.replicas.leave(scene.world.sessions[3], scene.world.clock.monotonic_seconds())
    scene.world.leases.replica_left()
    await scene.refuse(ticket)
    await scene.assert_moved_on()
    assert scene.world.transitions["reserved"] == 1


async def test_a_caller_that_asks_side_by_side_waits_once() -> None:
    scene = Waiting()
    ticket = await scene.begin()
    with pytest.raises(ComptoirError) as refusal:
        await asyncio.wait_for(scene.another(scene.admission), WAIT_SECONDS)
    assert refusal.value.reason is Reason.TOKENS_EXHAUSTED
    await scene.refuse(ticket)
    await scene.assert_moved_on()
