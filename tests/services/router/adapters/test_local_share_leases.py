"""A router whose store is away lends its share, and the store is told once it is back, once."""

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.adapters.local_share_leases import LocalShareLeases
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.gone_processes import HEARD_SECONDS
from services.router.domain.lease import Accepted, Ending, Freed, Process, Settled
from services.router.domain.quota import Quotas
from services.router.domain.tenancy import UNLIMITED, Quota
from tests.contracts.lease_store import LeaseStoreContract
from tests.contracts.leases import (
    PAYER,
    RESERVED_SECONDS,
    Wait,
    accept,
    issue,
    lease,
    process,
    settle,
    sign,
    ticket,
)
from tests.services.router.adapters.sharing_routers import QUOTA, TOKENS, World


@pytest.fixture
def world() -> World:
    return World()


class TestLocalShareLeases(LeaseStoreContract):
    """While the store is there, they are its leases."""

    @pytest.fixture
    def leases(self, world: World) -> LocalShareLeases:
        return world.one

    @pytest.fixture
    def elsewhere(self, world: World) -> LocalShareLeases:
        return world.other

    @pytest.fixture
    def wait(self, world: World) -> Wait:
        async def wait(seconds: float) -> None:
            world.clock.advance(seconds)

        return wait


async def refused(call: Awaitable[object]) -> Reason:
    with pytest.raises(ComptoirError) as refusal:
        await call
    return refusal.value.reason


async def test_each_router_lends_its_share_while_the_store_is_away(world: World) -> None:
    await world.away()
    for router, first in ((world.one, 10), (world.other, 20)):
        for number in (first, first + 1):
            await router.reserve(lease(number, tokens=TOKENS, quota=QUOTA))
            assert router.is_lent_here(Identity(0, number))
        spent = router.reserve(lease(first + 2, tokens=TOKENS, quota=QUOTA))
        assert await refused(spent) is Reason.CONCURRENCY_EXHAUSTED


async def test_the_first_request_that_finds_the_store_away_is_lent_of_the_share(world: World) -> None:
    await world.away(60.0)
    await world.back()
    world.lines[0].is_away = True
    quota = Quota(concurrency=4)
    await world.one.reserve(lease(1, quota=quota))
    assert (world.one.is_lent_here(Identity(0, 1)), world.one.lent_here) == (True, 1)


async def test_a_share_begins_with_nothing_and_comes_back_at_its_part_of_the_rate(world: World) -> None:
    await world.away(0.0)
    quota = Quota(requests_per_minute=60)
    assert await refused(world.one.reserve(lease(1, quota=quota))) is Reason.REQUESTS_EXHAUSTED
    world.clock.advance(2.0)
    assert (await world.one.reserve(lease(1, quota=quota))).remaining_requests == 0
    assert await refused(world.one.reserve(lease(2, quota=quota))) is Reason.REQUESTS_EXHAUSTED


@pytest.mark.parametrize(
    ("quota", "tokens"),
    [(Quota(concurrency=1), 1), (Quota(requests_per_minute=1), 1), (Quota(tokens_per_minute=1_000), 501)],
)
async def test_what_no_share_has_room_for_is_refused_as_unavailable(
    world: World, quota: Quota, tokens: int
) -> None:
    await world.away(60.0)
    asked = world.one.reserve(lease(1, tokens=tokens, quota=quota))
    assert await refused(asked) is Reason.QUOTA_UNAVAILABLE


async def test_what_was_used_meanwhile_is_charged_once(world: World) -> None:
    await world.away()
    for router, number in ((world.one, 1), (world.other, 2)):
        await router.reserve(lease(number, tokens=TOKENS, quota=QUOTA))
        await issue(router, number)
        assert await accept(router, number) is Accepted.RESERVED
        assert await settle(router, number, 300) is Settled.OPEN
        await router.spend_request(PAYER, Quotas(QUOTA, UNLIMITED))
    await world.back()
    assert await world.left() == (596, 60_000 - 2 * 300)
    assert (world.one.away_seconds, world.one.untold) == (0.0, 0)
    # Said again by the replica, to either.
    for number, router in ((1, world.other), (2, world.one)):
        assert await settle(router, number, 300) is Settled.ENDED
    assert world.memory.in_flight == 0


async def test_what_runs_when_the_store_is_back_has_its_place_there(world: World) -> None:
    await world.away()
    for number in (1, 2):
        await world.one.reserve(lease(number, tokens=TOKENS, quota=QUOTA))
        await issue(world.one, number)
    await accept(world.one, 1)
    await world.back()
    assert not world.one.is_lent_here(Identity(0, 1))
    assert world.memory.in_flight == 2
    assert await accept(world.other, 2) is Accepted.RESERVED
    # It was lent the tokens that its ticket permits, which are told too.
    assert await settle(world.other, 1, 300) is Settled.OPEN
    assert await settle(world.one, 2, 400) is Settled.OPEN
    assert await world.left() == (598, 60_000 - 700)


async def test_a_lease_of_before_stays_unheard_until_the_store_is_back(world: World) -> None:
    await world.one.reserve(lease(1, tokens=TOKENS, quota=QUOTA))
    await issue(world.one, 1)
    await world.away(1.0)
    assert await refused(accept(world.one, 1)) is Reason.QUOTA_UNAVAILABLE
    assert await refused(settle(world.one, 1, 300)) is Reason.QUOTA_UNAVAILABLE
    await world.back()
    assert await settle(world.one, 1, 300) is Settled.OPEN


async def test_a_lease_of_before_that_nobody_wants_is_undone_when_the_store_is_back(world: World) -> None:
    await world.one.reserve(lease(1, tokens=TOKENS, quota=QUOTA))
    await world.away(0.0)
    assert await world.one.cancel(Identity(0, 1)) is None
    await world.back()
    assert (world.memory.in_flight, await world.left()) == (0, (600, 60_000))


async def test_an_end_that_came_by_time_is_told_and_counted_once(world: World) -> None:
    await world.away()
    for number in (1, 2):
        await world.one.reserve(lease(number, tokens=TOKENS, quota=QUOTA))
        await issue(world.one, number)
    await world.one.release(Identity(0, 2))
    world.clock.advance(RESERVED_SECONDS)
    endings = {freed.holder: freed.ending for freed in await world.expire()}
    assert endings == {Identity(0, 1): Ending.EXPIRED, Identity(0, 2): Ending.RELEASED}
    await world.back()
    assert await world.expire() == []
    assert await world.left() == (598, 60_000)


async def test_a_process_that_was_gone_meanwhile_is_lost_in_the_store_too(world: World) -> None:
    await world.one.reserve(lease(1, tokens=TOKENS, quota=QUOTA))
    await issue(world.one, 1)
    await accept(world.one, 1)
    await world.away()
    await world.one.reserve(lease(2, tokens=TOKENS, quota=QUOTA))
    await issue(world.one, 2)
    await accept(world.one, 2)
    assert list(await world.one.lose(process())) == [Freed(Ending.LOST, PAYER, ticket(2))]
    for line in world.lines:
        line.is_away = False
    # Of its own one it has said so.
    assert await world.expire() == [Freed(Ending.LOST, PAYER, ticket(1))]
    assert world.memory.in_flight == 0
    assert await settle(world.one, 1, 10) is Settled.LOST
    assert await settle(world.one, 2, 20) is Settled.LOST


async def test_nothing_of_a_process_is_given_up_while_nobody_can_say_who_hears_it() -> None:
    class Others:
        is_away = True

        async def hear(self, processes: Sequence[Process]) -> None:
            if self.is_away:
                raise ComptoirError(Reason.QUOTA_UNAVAILABLE)

        async def is_heard_elsewhere(self, process: Process) -> bool:
            await self.hear([process])
            return False

    clock, others = ManualClock(monotonic_seconds=1_000.0), Others()
    store = LocalShareLeases(MemoryLeases(clock), clock, routers=2, hearing=others)
    await store.hear([process()])
    assert await store.is_heard_elsewhere(process())
    others.is_away = False
    # They say it again within a second, and not before.
    assert await store.is_heard_elsewhere(process())
    clock.advance(HEARD_SECONDS)
    assert not await store.is_heard_elsewhere(process())


async def test_another_ticket_is_signed_of_a_lease_of_the_share(world: World) -> None:
    await world.away()
    await world.one.reserve(lease(1, tokens=TOKENS, quota=QUOTA))
    await issue(world.one, 1)
    await accept(world.one, 1)
    assert (await world.one.issued(Identity(0, 1))) is not None
    assert await sign(world.one, 1, 2, QUOTA)
    await world.back()
    assert world.memory.in_flight == 2
    assert await settle(world.one, 1, 100) is Settled.OPEN
    assert await accept(world.one, 1, 2) is Accepted.RESERVED
    assert await settle(world.one, 1, 200, 2) is Settled.OPEN
    assert await world.left() == (599, 60_000 - 300)


async def test_answers_that_are_lost_on_the_way_back_charge_nothing_twice(world: World) -> None:
    await world.away()
    for number in (1, 2):
        await world.one.reserve(lease(number, tokens=TOKENS, quota=QUOTA))
        await issue(world.one, number)
        await accept(world.one, number)
    await settle(world.one, 1, 300)
    for heard in range(5):
        # The first is that it is there.
        world.lines[0].is_away, world.lines[0].are_lost = False, [False] * heard + [True]
        assert await world.one.expire() == []
        assert world.one.untold == 2, heard
    await world.back()
    await settle(world.one, 2, 400)
    assert await world.left() == (598, 60_000 - 700)
    assert world.memory.in_flight == 0


async def test_one_outage_after_the_other_lends_no_more_than_one(world: World) -> None:
    await world.away()
    for number in (1, 2):
        await world.one.reserve(lease(number, tokens=TOKENS, quota=QUOTA))
        await issue(world.one, number)
        await accept(world.one, number)
    await world.back()
    await world.away()
    asked = world.one.reserve(lease(3, tokens=TOKENS, quota=QUOTA))
    assert await refused(asked) is Reason.CONCURRENCY_EXHAUSTED
    await world.back()
    await settle(world.one, 1, 300)
    await world.away()
    await world.one.reserve(lease(3, tokens=TOKENS, quota=QUOTA))


async def test_beyond_the_bound_of_what_is_remembered_nothing_is_lent(world: World) -> None:
    world = World(most_leases=2)
    await world.away(60.0)
    for number in (1, 2):
        await world.one.reserve(lease(number, quota=QUOTA))
        await settle(world.one, number, 10)
    assert world.one.untold == 2
    assert await refused(world.one.reserve(lease(3, quota=QUOTA))) is Reason.QUOTA_UNAVAILABLE
    await world.back()
    await world.one.reserve(lease(3, quota=QUOTA))


async def test_a_router_that_stops_tells_the_store_if_it_can(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.away()
    for router, number in ((world.one, 1), (world.other, 2)):
        await router.reserve(lease(number, tokens=TOKENS, quota=QUOTA))
        await settle(router, number, 300)
    world.lines[0].is_away = False
    await world.one.close()
    await world.other.close()
    assert capsys.readouterr().out.count("local_leases_untold") == 1
    assert await world.left() == (599, 60_000 - 300)


async def test_what_happens_while_the_store_is_told_is_told_too(world: World) -> None:
    await world.away()
    await world.one.reserve(lease(1, tokens=TOKENS, quota=QUOTA))
    await issue(world.one, 1)
    for line in world.lines:
        line.is_away = False

    async def go_on() -> None:
        await accept(world.one, 1)
        await world.one.reserve(lease(2, tokens=TOKENS, quota=QUOTA))
        await asyncio.sleep(0)
        await settle(world.one, 1, 300)

    await asyncio.gather(world.one.expire(), go_on())
    assert world.one.away_seconds == 0.0
    assert world.memory.in_flight == 1
    assert await world.left() == (598, 60_000 - 300 - TOKENS)
