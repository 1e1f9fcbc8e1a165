import asyncio
from collections.abc import Sequence

import pytest

from services.edge.domain.hedging import HedgeBudget
from services.edge.domain.nearest_router import NearestRouter
from services.edge.domain.ports import NotReadyReason, Standing
from services.edge.domain.prefixes import PREFIX_SECRET_BYTES, PrefixDigests
from services.edge.domain.router_spread import RouterSpread
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.contracts.edge_router_port import CHAT, REQUEST, RouterPortContract
from tests.services.edge.links import GONE, MemoryLink, admit, nearest, script
from tests.services.edge.scripts import GOOD_KEY, RouterScript


class TestNearestRouter(RouterPortContract):
    @pytest.fixture
    def script(self) -> RouterScript:
        return script()

    @pytest.fixture
    def router(self, script: RouterScript) -> NearestRouter:
        return nearest(MemoryLink(script))


async def test_an_admission_that_its_router_did_not_answer_waits_until_that_serves_again() -> None:
    told = script()
    link = MemoryLink(told, GONE)
    asking = asyncio.ensure_future(admit(nearest(link)))
    await asyncio.wait_for(link.is_lost.wait(), 5)
    assert (told.request_ids, asking.done()) == ([], False)
    link.serve()
    await asking
    assert told.request_ids == [REQUEST]


async def test_a_request_that_comes_while_the_router_is_away_waits_for_it() -> None:
    link = MemoryLink(script())
    link.standing = Standing.LOST
    router = nearest(link)
    asking = [
        asyncio.ensure_future(admit(router)),
        asyncio.ensure_future(router.admit_count(key=GOOD_KEY, request=CHAT, request_id=REQUEST)),
        asyncio.ensure_future(router.list_models(key=GOOD_KEY, request_id=REQUEST)),
    ]
    await asyncio.sleep(0)
    assert not any(one.done() for one in asking)
    link.serve()
    await asyncio.wait_for(asyncio.gather(*asking), 5)


async def test_a_router_that_does_not_come_back_is_waited_for_no_longer_than_its_bound() -> None:
    with pytest.raises(ComptoirError) as raised:
        await admit(nearest(MemoryLink(script(), GONE), seconds=0.05))
    assert raised.value.reason is Reason.UNAVAILABLE


async def test_a_router_that_serves_and_never_answers_is_not_asked_for_ever() -> None:
    link = MemoryLink(script(), *[GONE] * 1000)
    link.is_back_at_once = True
    with pytest.raises(ComptoirError):
        await admit(nearest(link, seconds=0.2))
    assert 1 < link.losses < 20


async def test_a_refusal_is_an_answer() -> None:
    link = MemoryLink(script(), ComptoirError(Reason.NO_REPLICA))
    with pytest.raises(ComptoirError) as raised:
        await admit(nearest(link))
    assert (raised.value.reason, link.losses) == (Reason.NO_REPLICA, 0)


async def test_the_next_router_is_asked_at_once_where_the_nearest_is_lost_until_that_serves_again() -> None:
    first, second = script(), script()
    links = MemoryLink(first, GONE), MemoryLink(second)
    router = nearest(*links)
    await admit(router)
    await admit(router)
    assert (len(first.request_ids), len(second.request_ids), links[0].losses) == (0, 2, 1)
    links[0].serve()
    await admit(router)
    assert (len(first.request_ids), len(second.request_ids)) == (1, 2)


async def test_a_router_without_a_ready_replica_is_asked_only_where_no_other_has_one() -> None:
    first, second = script(), script()
    links = MemoryLink(first), MemoryLink(second)
    router = nearest(*links)
    links[0].standing = Standing.SERVING
    await admit(router)
    links[1].standing = Standing.SERVING
    await admit(router)
    links[0].standing = Standing.LOST
    await admit(router)
    assert (len(first.request_ids), len(second.request_ids)) == (1, 2)


async def test_a_router_that_is_clearly_nearer_is_asked_before_those_in_front_of_it() -> None:
    first, second = script(), script()
    links = MemoryLink(first), MemoryLink(second)
    router = nearest(*links)
    links[0].round_trip_seconds, links[1].round_trip_seconds = 0.009, 0.001
    await admit(router)
    # Not by so much that one would move, and enough to stay.
    links[0].round_trip_seconds = 0.0025
    await admit(router)
    links[0].round_trip_seconds = 0.0015
    await admit(router)
    assert (len(first.request_ids), len(second.request_ids)) == (1, 2)


async def test_every_router_is_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.edge.domain.nearest_router._LOOK_SECONDS", 0.01)
    links = MemoryLink(script()), MemoryLink(script())
    watching = asyncio.ensure_future(nearest(*links).watch())
    await asyncio.wait_for(asyncio.gather(*(link.has_been_looked_at.wait() for link in links)), 5)
    watching.cancel()


async def test_a_lease_is_given_back_to_the_router_that_lent_it() -> None:
    first, second = script(), script()
    links = MemoryLink(first, GONE), MemoryLink(second)
    router = nearest(*links)
    admission = await admit(router)
    links[0].serve()
    await admission.release()
    assert (len(first.released), len(second.released)) == (0, 1)


async def test_the_time_that_passed_meanwhile_is_no_longer_the_routers_to_hold_the_request() -> None:
    told = script()
    link = MemoryLink(told)
    link.standing = Standing.LOST
    asking = asyncio.ensure_future(admit(nearest(link), within_seconds=60.0))
    await asyncio.sleep(0.02)
    link.serve()
    await asking
    assert told.within_seconds[0] < 59.99


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        ((None, NotReadyReason.ROUTER_UNREACHABLE), None),
        ((NotReadyReason.ROUTER_UNREACHABLE, NotReadyReason.NO_REPLICA), NotReadyReason.NO_REPLICA),
        ((NotReadyReason.ROUTER_UNREACHABLE,) * 2, NotReadyReason.ROUTER_UNREACHABLE),
    ],
)
async def test_one_router_that_can_place_requests_is_enough(
    monkeypatch: pytest.MonkeyPatch, reasons: tuple[NotReadyReason | None, ...], said: NotReadyReason | None
) -> None:
    waiting = list(reasons)

    async def not_ready_reason(_link: MemoryLink) -> NotReadyReason | None:
        return waiting.pop(0)

    monkeypatch.setattr(MemoryLink, "not_ready_reason", not_ready_reason)
    assert await nearest(*(MemoryLink(script()) for _ in reasons)).not_ready_reason() is said


async def test_routers_that_share_the_load_are_all_asked_and_those_left_where_one_is_lost() -> None:
    links = [MemoryLink(script()) for _ in range(3)]
    spread = RouterSpread(["one", "two", "three"], PrefixDigests(bytes(PREFIX_SECRET_BYTES)))
    router = NearestRouter(links, SystemClock(), unreachable_seconds=30, nearer_seconds=0.002, spread=spread)

    async def ask(first: int) -> list[int]:
        before = [len(link.script.request_ids) for link in links]
        for number in range(first, first + 60):
            await router.admit(key=GOOD_KEY, request=CHAT, request_id=Identity(1, number), within_seconds=60)
        return [len(link.script.request_ids) - was for link, was in zip(links, before, strict=True)]

    assert min(await ask(0)) > 5
    links[1].lose()
    one, lost, other = await ask(60)
    assert (lost, one + other) == (0, 60)
    assert min(one, other) > 5
    links[1].serve()
    assert min(await ask(120)) > 5


async def test_questions_that_wait_for_a_silent_router_count_at_none_of_those_that_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.edge.domain.nearest_router._PATIENCE_SECONDS", 0.001)
    links = [MemoryLink(script()) for _ in range(3)]
    spread = RouterSpread(["one", "two", "three"], PrefixDigests(bytes(PREFIX_SECRET_BYTES)))
    counted: list[int] = []
    looks: list[int] = []
    has_looked_often = asyncio.Event()
    count, choose = spread.count, spread.choose

    def noted_choice(among: Sequence[int], turn: int) -> int:
        looks.append(turn)
        if len(looks) == 20:
            has_looked_often.set()
        return choose(among, turn)

    def noted_count(place: int) -> None:
        counted.append(place)
        count(place)

    monkeypatch.setattr(spread, "count", noted_count)
    monkeypatch.setattr(spread, "choose", noted_choice)
    spent = HedgeBudget()
    while spent.spend():
        pass
    router = NearestRouter(
        links, SystemClock(), unreachable_seconds=30, nearer_seconds=0.002, twice=spent, spread=spread
    )
    links[0].script.hold = asyncio.Event()
    for link in links[1:]:
        link.standing = Standing.SILENT
    asking = asyncio.ensure_future(admit(router))
    await links[0].is_asked.wait()
    for link in links:
        link.standing = Standing.PLACING
    links[0].standing = Standing.SILENT
    await asyncio.wait_for(has_looked_often.wait(), 30)
    assert counted == [0]
    links[0].script.hold.set()
    await asking
