import asyncio

import pytest

from services.edge.domain.asked_twice import answer_of, first_answer
from services.edge.domain.hedging import HedgeBudget
from services.edge.domain.nearest_router import NearestRouter
from services.edge.domain.ports import Admission, Standing
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.engine_requests import until
from tests.services.edge.links import GONE, MemoryLink, admit, nearest, script
from tests.services.edge.scripts import RouterScript


async def settled(outcome: int | Exception) -> "asyncio.Future[int]":
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
    return future


async def test_an_answer_counts_before_a_router_that_gave_none_whatever_came_first() -> None:
    for outcomes in ((GONE, 7), (7, GONE)):
        assert await first_answer([await settled(one) for one in outcomes]) == 7
    with pytest.raises(ComptoirError) as raised:
        await first_answer([await settled(GONE), await settled(GONE)])
    assert raised.value.reason is Reason.UNAVAILABLE


async def test_a_refusal_of_the_request_is_the_answer_though_another_question_is_open() -> None:
    refused, other = (
        await settled(ComptoirError(Reason.MODEL_NOT_FOUND)),
        asyncio.get_running_loop().create_future(),
    )
    with pytest.raises(ComptoirError) as raised:
        await first_answer([refused, other])
    assert (raised.value.reason, answer_of(other), answer_of(refused)) == (Reason.MODEL_NOT_FOUND, None, None)
    other.cancel()
    assert answer_of(other) is None


@pytest.mark.parametrize("reason", [Reason.CONCURRENCY_EXHAUSTED, Reason.BUDGET_EXHAUSTED, Reason.NO_REPLICA])
async def test_a_refusal_of_the_moment_waits_for_the_other_router(reason: Reason) -> None:
    """What the request holds at the one may be what the other one refuses it for."""
    refused = await settled(ComptoirError(reason))
    for outcome in (7, GONE, ComptoirError(Reason.MODEL_NOT_FOUND)):
        other: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        answering = asyncio.ensure_future(first_answer([refused, other]))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not answering.done()
        if isinstance(outcome, int):
            other.set_result(outcome)
            assert await answering == outcome
            continue
        other.set_exception(outcome)
        with pytest.raises(ComptoirError) as raised:
            await answering
        assert raised.value.reason is (reason if outcome is GONE else outcome.reason)


async def test_an_answer_counts_before_a_refusal_of_the_same_turn_of_the_loop() -> None:
    for _ in range(20):
        # The order of a set is that of its members' addresses.
        outcomes: list[int | Exception] = [ComptoirError(Reason.MODEL_NOT_FOUND), 7]
        assert await first_answer([await settled(one) for one in outcomes]) == 7


class TestSilentRouter:
    """A question that is open at a router that falls silent, beside one that answers."""

    @pytest.fixture
    def held(self) -> RouterScript:
        return RouterScript(["a"], hold=asyncio.Event())

    @pytest.fixture
    def links(self, held: RouterScript) -> tuple[MemoryLink, MemoryLink]:
        return MemoryLink(held), MemoryLink(script())

    @pytest.fixture
    async def asking(self, links: tuple[MemoryLink, MemoryLink]) -> "asyncio.Task[Admission]":
        asking = asyncio.ensure_future(admit(nearest(*links)))
        await links[0].is_asked.wait()
        return asking

    async def test_it_is_asked_of_the_other_one_too(
        self, links: tuple[MemoryLink, MemoryLink], asking: "asyncio.Task[Admission]"
    ) -> None:
        links[0].standing = Standing.SILENT
        await asking
        assert (len(links[1].script.request_ids), links[0].losses) == (1, 0)

    async def test_no_more_than_a_hundred_at_once_are_and_the_others_wait_until_it_is_lost(
        self, links: tuple[MemoryLink, MemoryLink]
    ) -> None:
        router, other = nearest(*links), links[1].script
        asking = [asyncio.ensure_future(admit(router)) for _ in range(105)]
        await until(lambda: links[0].open == len(asking), 5)
        links[0].standing = Standing.SILENT
        done, waiting = await asyncio.wait(asking, timeout=1.0)
        assert (len(done), len(waiting), len(other.request_ids)) == (100, 5, 100)
        links[0].fails.set()
        await asyncio.wait_for(asyncio.gather(*asking), 5)
        assert len(other.request_ids) == len(asking)

    async def test_later_one_of_twenty_is(self, links: tuple[MemoryLink, MemoryLink]) -> None:
        budget = HedgeBudget()
        router = NearestRouter(
            links, SystemClock(), unreachable_seconds=30, nearer_seconds=0.002, twice=budget
        )
        while budget.spend():
            pass
        for link in links:
            link.script.hold = None
        for _ in range(21):
            await admit(router)
        links[0].script.hold = asyncio.Event()
        links[0].standing = Standing.SILENT
        links[1].standing = Standing.SILENT
        asking = [asyncio.ensure_future(admit(router)) for _ in range(10)]
        await until(lambda: links[0].open == len(asking), 5)
        links[1].standing = Standing.PLACING
        done, waiting = await asyncio.wait(asking, timeout=1.0)
        assert (len(done), len(waiting)) == (1, 9)
        links[0].fails.set()
        await asyncio.wait_for(asyncio.gather(*asking), 5)

    async def test_what_it_answers_after_all_counts_and_the_other_one_is_given_up(
        self, links: tuple[MemoryLink, MemoryLink], held: RouterScript, asking: "asyncio.Task[Admission]"
    ) -> None:
        gate = links[1].script.hold = asyncio.Event()
        links[0].standing = Standing.SILENT
        await links[1].is_asked.wait()
        assert held.hold is not None
        held.hold.set()
        assert (await asking).offer.generator_address == "a"
        gate.set()
        await asyncio.sleep(0)
        assert links[1].script.released == []

    async def test_a_lease_that_comes_beside_another_one_is_given_back(
        self, links: tuple[MemoryLink, MemoryLink], held: RouterScript, asking: "asyncio.Task[Admission]"
    ) -> None:
        gate = links[1].script.hold = asyncio.Event()
        links[0].standing = Standing.SILENT
        await links[1].is_asked.wait()
        assert held.hold is not None
        held.hold.set()
        gate.set()
        await asking
        await until(lambda: bool(held.released or links[1].script.released), 5)
        assert len(held.released + links[1].script.released) == 1

    async def test_where_none_of_them_answers_it_is_asked_again_of_one_that_does(
        self, links: tuple[MemoryLink, MemoryLink], asking: "asyncio.Task[Admission]"
    ) -> None:
        links[1].failures.append(GONE)
        links[0].standing = Standing.SILENT
        await links[1].is_asked.wait()
        links[0].fails.set()
        await asking
        assert (links[0].losses, len(links[1].script.request_ids)) == (1, 1)

    async def test_one_that_lives_may_hold_it_as_long_as_it_likes(
        self, links: tuple[MemoryLink, MemoryLink], asking: "asyncio.Task[Admission]"
    ) -> None:
        await asyncio.wait({asking}, timeout=1.0)
        assert (asking.done(), links[1].script.request_ids) == (False, [])
        asking.cancel()
        await asyncio.wait({asking})

    async def test_a_refusal_of_the_other_one_is_the_answer_once_the_silent_one_is_lost(
        self, links: tuple[MemoryLink, MemoryLink], asking: "asyncio.Task[Admission]"
    ) -> None:
        links[1].failures.append(ComptoirError(Reason.TOKENS_EXHAUSTED))
        links[0].standing = Standing.SILENT
        await links[1].is_asked.wait()
        links[0].fails.set()
        with pytest.raises(ComptoirError) as raised:
            await asking
        assert raised.value.reason is Reason.TOKENS_EXHAUSTED

    async def test_a_request_is_not_refused_for_the_place_that_it_holds_at_the_silent_one(
        self, links: tuple[MemoryLink, MemoryLink], held: RouterScript, asking: "asyncio.Task[Admission]"
    ) -> None:
        links[1].failures.append(ComptoirError(Reason.CONCURRENCY_EXHAUSTED))
        links[0].standing = Standing.SILENT
        await links[1].is_asked.wait()
        assert held.hold is not None
        held.hold.set()
        assert (await asking).offer.generator_address == "a"

    async def test_a_caller_that_goes_away_leaves_nothing_asked(
        self, links: tuple[MemoryLink, MemoryLink], held: RouterScript, asking: "asyncio.Task[Admission]"
    ) -> None:
        links[1].script.hold = asyncio.Event()
        links[0].standing = Standing.SILENT
        await links[1].is_asked.wait()
        asking.cancel()
        await asyncio.wait({asking})
        assert (links[0].open, links[1].open) == (0, 0)
