import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.generator.adapters import router_link
from tests.contracts.engine_requests import until
from tests.services.generator.adapters.linked_routers import Linked, both, of


@pytest.fixture
async def linked(tmp_path: Path) -> AsyncIterator[Linked]:
    linked = Linked(tmp_path)
    yield linked
    await linked.stop()


SHARING = pytest.mark.parametrize("numbers", [(0, 0), (1, 2)], ids=["unnamed", "named"])


async def test_every_router_hears_who_the_replica_is_and_how_busy(linked: Linked) -> None:
    await both(linked)
    linked.load.requests = 3
    await until(lambda: all(r.reports[-1].load.running_requests == 3 for r in linked.routers), 5)
    said = [router.reports[0].registration for router in linked.routers]
    assert [(one.incarnation, one.routers) for one in said] == [(77, 2), (77, 2)]


async def test_one_router_is_enough_to_be_registered_and_the_other_is_tried_until_it_is_there(
    linked: Linked,
) -> None:
    assert not linked.links.is_registered
    await linked.routers[1].start()
    await until(lambda: linked.links.is_registered, 10)
    assert linked.routers[0].reports == []
    await linked.routers[0].start()
    await until(lambda: len(linked.routers[0].reports) > 1, 10)


async def test_a_lease_is_accepted_and_settled_with_the_router_that_lent_it(linked: Linked) -> None:
    await both(linked)
    for router, lease in ((1, 10), (2, 20), (2, 21)):
        linked.links.accept(of(router, lease))
    await until(lambda: linked.accepted == [[10], [20, 21]], 5)
    for router, lease in ((2, 20), (1, 10), (2, 21)):
        linked.settle(of(router, lease))
    assert await linked.links.settled(5) == 0
    assert linked.settled == [[10], [20, 21]]


async def test_a_settlement_waits_for_the_router_that_lent_and_goes_to_no_other(linked: Linked) -> None:
    await both(linked)
    await linked.routers[0].stop()
    linked.routers[0].reports.clear()
    linked.settle(of(1, 10))
    linked.settle(of(2, 20))
    assert await linked.links.settled(0.3) == 1
    await linked.routers[0].start()
    await until(lambda: linked.settled == [[10], [20]], 10)


async def test_a_lease_of_a_router_that_never_said_its_number_is_settled_where_it_was_accepted(
    linked: Linked,
) -> None:
    linked.routers[0].number = 0
    await linked.routers[1].start()
    await until(lambda: linked.links.is_registered, 10)
    # Only the router that has not been heard can have lent it.
    linked.links.accept(of(1, 10))
    await linked.routers[0].start()
    await until(lambda: linked.accepted == [[10], []], 10)
    linked.routers[0].number = 3
    await until(lambda: linked.links._links[0].router_number == 3, 5)
    linked.settle(of(1, 10))
    await until(lambda: linked.settled == [[10], []], 5)


async def test_a_lease_of_a_router_that_nobody_is_is_charged_once(linked: Linked) -> None:
    await both(linked)
    linked.settle(of(9, 90))
    await until(lambda: linked.settled == [[90], []], 5)


@pytest.mark.parametrize(("numbers", "lines"), [((1, 1), 1), ((1, 2), 0), ((0, 0), 0)])
async def test_two_routers_with_one_number_are_a_line_of_the_log(
    linked: Linked, numbers: tuple[int, int], lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for router, number in zip(linked.routers, numbers, strict=True):
        router.number = number
    await both(linked)
    await until(lambda: all(link.is_registered for link in linked.links._links), 10)
    for lease in (10, 11):
        linked.links.accept(of(numbers[0], lease))
    assert capsys.readouterr().out.count("routers_have_one_number") == lines


@SHARING
async def test_each_of_routers_that_share_a_store_hears_of_its_part(
    linked: Linked, numbers: tuple[int, int]
) -> None:
    """One that heard of none learned of no request what it used."""
    for router, number in zip(linked.routers, numbers, strict=True):
        router.number = number
    await both(linked)
    await until(lambda: all(link.is_answering for link in linked.links._links), 10)
    for lease in (10, 11, 12, 13):
        linked.links.accept(of(0, lease))
    await until(lambda: linked.accepted == [[10, 12], [11, 13]], 10)
    for lease in (10, 11, 12, 13):
        linked.settle(of(0, lease))
    await until(lambda: linked.settled == [[10, 12], [11, 13]], 10)


@SHARING
async def test_a_lease_of_routers_that_share_a_store_is_settled_with_one_that_lives(
    tmp_path: Path, numbers: tuple[int, int]
) -> None:
    linked = Linked(tmp_path)
    try:
        for router, number in zip(linked.routers, numbers, strict=True):
            router.number = number
        await both(linked)
        linked.links.accept(of(0, 10))
        await until(lambda: linked.accepted == [[10], []], 5)
        await linked.routers[0].stop()
        await until(lambda: not linked.links._links[0].is_registered, 10)
        linked.settle(of(0, 10))
        linked.links.accept(of(0, 11))
        # Whether the other one hears of 10 as of one that runs depends on which comes first.
        await until(lambda: (linked.settled, linked.accepted[0]) == ([[], [10]], [10]), 10)
        await until(lambda: linked.accepted[1] in ([11], [10, 11]), 10)
        # Nor does the one that comes back hear of it as of one that runs, which would take another place.
        linked.routers[0].reports.clear()
        await linked.routers[0].start()
        await until(lambda: len(linked.routers[0].reports) > 2, 10)
        assert linked.accepted[0] == []
    finally:
        await linked.stop()


async def test_a_lease_of_routers_that_share_a_store_is_settled_with_one_that_does_not_hang(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_link, "_SILENT_SECONDS", 0.2)
    for router in linked.routers:
        router.number = 0
    await both(linked)
    first = linked.links._links[0]
    await until(lambda: first.is_answering, 10)
    linked.routers[0].is_hanging = True
    linked.links.accept(of(0, 10))
    await until(lambda: not first.is_answering, 10)
    assert first.is_registered
    linked.settle(of(0, 10))
    linked.links.accept(of(0, 11))
    # The other one charges it at once; the first, which counts it on the replica, hears it when it goes on.
    await until(lambda: (linked.settled, linked.accepted) == ([[10], [10]], [[10], [11]]), 10)
    linked.routers[0].is_hanging = False
    await until(lambda: first.is_answering, 10)


async def test_a_drain_does_not_wait_for_a_router_that_is_away_where_another_is_there(
    linked: Linked, capsys: pytest.CaptureFixture[str]
) -> None:
    await linked.routers[1].start()
    await until(lambda: linked.links.is_registered, 10)
    linked.settle(of(1, 10))
    linked.settle(of(2, 20))
    assert await asyncio.wait_for(linked.links.settled(600), 30) == 1
    assert linked.settled == [[], [20]]
    assert capsys.readouterr().out.count("router_has_not_confirmed") == 1


async def test_a_drain_waits_for_the_only_router(linked: Linked) -> None:
    await both(linked)
    linked.links.accept(of(1, 10))
    await until(lambda: linked.accepted == [[10], []], 5)
    for router in linked.routers:
        await router.stop()
    linked.settle(of(1, 10))
    settling = asyncio.ensure_future(linked.links.settled(600))
    await asyncio.wait({settling}, timeout=3.0)
    assert not settling.done()
    for router in linked.routers:
        await router.start()
    assert await asyncio.wait_for(settling, 30) == 0


async def test_what_a_router_of_a_shared_store_did_not_confirm_is_told_to_another_as_soon_as_it_is_lost(
    linked: Linked,
) -> None:
    for router in linked.routers:
        router.number = 0
    await both(linked)
    linked.routers[0].is_confirming = False
    linked.settle(of(0, 10))
    await until(lambda: linked.settled == [[10], []], 10)
    await linked.routers[0].stop()
    await until(lambda: linked.settled == [[10], [10]], 20)
    assert await linked.links.settled(10) == 0


async def test_an_acceptance_that_a_lost_router_of_a_shared_store_did_not_confirm_is_told_to_another(
    linked: Linked,
) -> None:
    """Nobody may be told of it by the one that is lost: its places would be lent while it runs."""
    for router in linked.routers:
        router.number = 0
    await both(linked)
    linked.routers[0].is_confirming = False
    linked.links.accept(of(0, 10))
    await until(lambda: linked.accepted == [[10], []], 10)
    await linked.routers[0].stop()
    await until(lambda: linked.accepted == [[10], [10]], 20)
    linked.routers[0].reports.clear()
    await linked.routers[0].start()
    await until(lambda: len(linked.routers[0].reports) > 2, 10)
    linked.settle(of(0, 10))
    await until(lambda: linked.settled == [[], [10]], 10)
    assert linked.accepted == [[], [10]]


async def test_a_drain_tells_another_router_of_a_shared_store_what_one_that_hangs_did_not_confirm(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_link, "_SILENT_SECONDS", 0.2)
    for router in linked.routers:
        router.number = 0
    await both(linked)
    linked.routers[0].is_hanging = True
    linked.settle(of(0, 10))
    assert await asyncio.wait_for(linked.links.settled(600), 30) == 0
    assert linked.settled == [[10], [10]]


async def test_what_a_router_of_a_shared_store_that_hangs_was_told_last_another_is_told_too(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stream does not end, and what nobody tells the store is lent again after 12 s."""
    monkeypatch.setattr(router_link, "_SILENT_SECONDS", 0.2)
    for router in linked.routers:
        router.number = 0
    await both(linked)
    linked.routers[0].is_hanging = True
    linked.links.accept(of(0, 10))
    await until(lambda: linked.accepted == [[10], [10]], 10)
    # It goes on before the request ends: each of them hears of the end, and neither waits for more.
    linked.routers[0].is_hanging = False
    await until(lambda: all(link.is_answering for link in linked.links._links), 10)
    linked.settle(of(0, 10))
    await until(lambda: linked.settled == [[10], [10]], 10)
    assert await linked.links.settled(10) == 0
    assert [link.unended() for link in linked.links._links] == [[], []]
    assert linked.accepted == [[10], [10]]


async def test_who_was_told_too_and_is_lost_has_a_third_router_told_and_none_waits_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first counted the request on this replica for ever: nobody told it of the end."""
    monkeypatch.setattr(router_link, "_SILENT_SECONDS", 0.2)
    linked = Linked(tmp_path, (0, 0, 0))
    try:
        await both(linked)
        linked.routers[0].is_hanging = True
        linked.links.accept(of(0, 12))
        await until(lambda: linked.accepted == [[12], [12], []], 20)
        await linked.routers[1].stop()
        await until(lambda: linked.accepted == [[12], [12], [12]], 20)
        linked.routers[0].is_hanging = False
        await until(lambda: linked.links._links[0].is_answering, 20)
        linked.settle(of(0, 12))
        await until(lambda: linked.settled[0] == linked.settled[2] == [12], 20)
        assert [link.unended() for link in linked.links._links] == [[], [], []]
    finally:
        await linked.stop()


async def test_a_lease_that_the_router_that_hangs_lent_alone_no_other_is_told(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router_link, "_SILENT_SECONDS", 0.1)
    await both(linked)
    linked.routers[0].is_hanging = True
    linked.links.accept(of(1, 10))
    await until(lambda: not linked.links._links[0].is_answering, 10)
    said = len(linked.routers[1].reports)
    await until(lambda: len(linked.routers[1].reports) > said + 40, 10)
    assert linked.accepted[1] == []
