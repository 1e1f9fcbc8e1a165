"""A request that lost its replica before any text is admitted again: what it left is not in its way."""

import asyncio
from dataclasses import replace

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.admission import Admission
from services.router.domain.lease import MOST_ADMITTED_AGAIN
from services.router.domain.tenancy import Quota
from tests.contracts.engine_requests import until
from tests.fakes.router import changed_limits, request_for
from tests.services.router.domain.test_offers import Scene, reason_of

ONE_PLACE = Quota(concurrency=1)
ONE_REQUEST = Quota(requests_per_minute=1)
ONE_REQUEST_OF_TOKENS = Quota(tokens_per_minute=200)
REQUEST = Identity(1, 2)
WAIT_SECONDS = 5


class Losing(Scene):
    """A key with no room for two, whose request is on the first of two replicas."""

    def __init__(self, quota: Quota, *, wait_seconds: float = 0.0) -> None:
        super().__init__(2, changed_limits(further_ticket_wait_seconds=wait_seconds))
        self.quota = quota

    async def begin(self) -> int:
        """Returns the number of the replica that accepted it."""
        self.api_key = await self.world.key(quota=self.quota)
        await self.ask()
        (ticket,) = self.signed
        await self.accept(ticket)
        return ticket.replica

    async def ask(self, request_id: Identity = REQUEST, *, part: int = 0) -> Admission:
        request = replace(request_for(self.api_key), request_id=request_id, part=part)
        return await self.world.admitter.admit(request)

    def lose(self, number: int) -> None:
        now_seconds = self.world.clock.monotonic_seconds()
        self.world.replicas.leave(self.world.sessions[number], now_seconds)
        self.world.leases.replica_left()


@pytest.mark.parametrize("quota", [ONE_PLACE, ONE_REQUEST, ONE_REQUEST_OF_TOKENS])
async def test_a_request_whose_replica_is_away_has_what_it_had_once_more(quota: Quota) -> None:
    scene = Losing(quota)
    lost = await scene.begin()
    scene.lose(lost)
    admission = await scene.ask()
    assert scene.signed[-1].replica == 3 - lost
    assert admission.grant.request_id == REQUEST


@pytest.mark.parametrize("quota", [ONE_PLACE, ONE_REQUEST, ONE_REQUEST_OF_TOKENS])
async def test_another_request_of_the_key_has_nothing_of_it(quota: Quota) -> None:
    scene = Losing(quota)
    scene.lose(await scene.begin())
    assert (await reason_of(scene.ask(Identity(3, 4)))).name.endswith("_EXHAUSTED")


async def test_it_goes_on_once_and_no_more_often() -> None:
    scene = Losing(ONE_PLACE)
    scene.lose(await scene.begin())
    await scene.ask()
    assert await reason_of(scene.ask()) is Reason.CONCURRENCY_EXHAUSTED


@pytest.mark.parametrize("quota", [ONE_PLACE, ONE_REQUEST, ONE_REQUEST_OF_TOKENS])
async def test_a_request_that_loses_every_replica_does_not_go_on_beyond_its_quota_for_ever(
    quota: Quota,
) -> None:
    scene = Losing(quota)
    scene.lose(await scene.begin())
    for number in range(3, 3 + MOST_ADMITTED_AGAIN):
        await scene.ask()
        await scene.accept(scene.signed[-1])
        scene.lose(scene.signed[-1].replica)
        scene.world.add_replica(number, incarnation=5)
    with pytest.raises(ComptoirError) as refused:
        await scene.ask()
    assert refused.value.reason.name.endswith("_EXHAUSTED")
    assert refused.value.numbers.limit > 0
    assert len(scene.signed) == 1 + MOST_ADMITTED_AGAIN


async def test_a_request_whose_replica_is_there_is_not_admitted_twice() -> None:
    scene = Losing(ONE_PLACE)
    await scene.begin()
    assert await reason_of(scene.ask()) is Reason.CONCURRENCY_EXHAUSTED


@pytest.mark.parametrize("quota", [ONE_REQUEST, ONE_REQUEST_OF_TOKENS])
async def test_another_part_of_the_request_waits_for_no_loss_and_has_nothing_of_it(quota: Quota) -> None:
    scene = Losing(quota, wait_seconds=30.0)
    lost = await scene.begin()
    async with asyncio.timeout(WAIT_SECONDS):
        assert (await reason_of(scene.ask(part=2))).name.endswith("_EXHAUSTED")
        scene.lose(lost)
        assert (await reason_of(scene.ask(part=2))).name.endswith("_EXHAUSTED")
        await scene.ask()


async def test_it_waits_for_the_router_to_hear_of_the_loss() -> None:
    scene = Losing(ONE_PLACE, wait_seconds=30.0)
    lost = await scene.begin()
    asking = asyncio.create_task(scene.ask())
    for _ in range(50):
        await asyncio.sleep(0)
    assert not asking.done()
    scene.lose(lost)
    await asyncio.wait_for(asking, WAIT_SECONDS)


async def test_where_there_is_no_place_for_it_yet_it_has_its_turn_later() -> None:
    scene = Losing(ONE_PLACE)
    scene.world.limits = changed_limits(further_ticket_wait_seconds=0.0, hold_seconds=30.0)
    for number in await _both(scene):
        scene.lose(number)
    asking = asyncio.create_task(scene.ask())
    await until(lambda: scene.world.leases.held > 0 or asking.done(), WAIT_SECONDS)
    scene.world.add_replica(3, incarnation=5)
    scene.world.leases.replicas_changed()
    await asyncio.wait_for(asking, WAIT_SECONDS)
    assert scene.signed[-1].replica == 3


async def _both(scene: Losing) -> tuple[int, int]:
    lost = await scene.begin()
    return lost, 3 - lost


async def test_a_place_that_was_found_in_vain_is_there_for_the_next_try() -> None:
    scene = Losing(ONE_REQUEST)
    scene.lose(await scene.begin())
    scene.world.signer.failure = ComptoirError(Reason.INTERNAL)
    assert await reason_of(scene.ask()) is Reason.INTERNAL
    scene.world.signer.failure = None
    admission = await scene.ask()
    assert admission.quota.remaining_requests == 0
    assert scene.world.store.in_flight == 2, "its own, and that of the replica that may come back"


@pytest.mark.parametrize("quota", [ONE_PLACE, ONE_REQUEST])
async def test_a_request_that_was_given_up_before_needs_no_room_for_two(quota: Quota) -> None:
    scene = Losing(quota)
    lost = await scene.begin()
    scene.restart(lost, incarnation=6)
    assert await scene.world.leases.lose_gone() == 1
    await scene.ask()
    assert scene.world.store.in_flight == 1


async def test_a_request_that_was_handed_back_goes_on_by_another_ticket_and_not_beside_it() -> None:
    scene = Losing(ONE_PLACE)
    await scene.begin()
    await scene.refuse(scene.signed[-1])
    assert await reason_of(scene.ask()) is Reason.CONCURRENCY_EXHAUSTED
    assert scene.world.store.in_flight == 1


async def test_a_request_that_goes_on_has_no_other_ticket_of_what_it_lost() -> None:
    scene = Losing(ONE_PLACE)
    scene.api_key = await scene.world.key(quota=scene.quota)
    first = await scene.ask()
    await scene.accept(scene.signed[-1])
    scene.lose(scene.signed[-1].replica)
    await scene.ask()
    scene.world.add_replica(3, incarnation=5)
    assert await reason_of(scene.another(first)) is Reason.LEASE_ENDED
