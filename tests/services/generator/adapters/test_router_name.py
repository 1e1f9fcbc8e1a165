"""Routers behind one name, over TLS on addresses that their certificates do not bear."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.generator.adapters import router_name
from services.generator.adapters.router_links import RouterLinks
from services.generator.domain.ports import Capabilities, Feature
from services.generator.domain.terminal_event import Counts
from services.generator.domain.ticket import Claims, Replica
from services.kernel.clock import SystemClock
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget
from tests.contracts.engine_requests import until
from tests.ports import free_port
from tests.services.generator.adapters.reported import Load, Router
from tests.services.generator.domain.test_ticket import CLAIMS
from tests.services.runtime.certificates import Authority

NAME = "routers.comptoir.test"


class Named:
    """A replica that is told a name, the routers that may be behind it, and what the resolver says."""

    def __init__(self, folder: Path) -> None:
        authority, self.port = Authority(folder), free_port()
        self.hosts = [f"127.0.0.{number}:{self.port}" for number in (2, 3)]
        tls = authority.files("router", dns=NAME)
        self.routers = [Router(host, number, tls) for number, host in enumerate(self.hosts, 1)]
        self.stranger = Router(f"127.0.0.4:{self.port}", 4, authority.files("stranger", dns="other.test"))
        self.told: tuple[str, ...] | OSError = ()
        self.looks = 0
        target = GrpcTarget(address=f"{NAME}:{self.port}", tls=authority.files("generator"))
        self.links = RouterLinks(
            [target], SystemClock(), interval_seconds=0.02, lifetime_seconds=600.0, look_up=self._look_up
        )
        capabilities = Capabilities(1024, 16, 500, Feature.TOKEN_IDS)
        self.links.register(Replica(7, 1, 3), "127.0.0.1:1", capabilities, 32, incarnation=77)
        self.running = asyncio.create_task(self.links.run(Load()))
        self.started: list[Router] = []

    async def _look_up(self, address: str) -> tuple[str, ...]:
        assert address == f"{NAME}:{self.port}"
        self.looks += 1
        if isinstance(self.told, OSError):
            raise self.told
        return self.told

    async def start(self, *routers: Router) -> None:
        for router in routers:
            router.reports.clear()
            await router.start()
            self.started.append(router)

    async def stop(self, router: Router) -> None:
        self.started.remove(router)
        await router.stop()

    async def heard(self, *routers: Router) -> None:
        await until(lambda: all(len(router.reports) > 2 for router in routers), 20)

    async def looked(self) -> None:
        """Waits until what is told now was told, and what follows from it was done."""
        looks = self.looks
        await until(lambda: self.looks > looks + 1, 20)

    @property
    def addresses(self) -> list[str]:
        return [link.address for link in self.links._links]

    def settle(self, router: int, lease: int) -> None:
        self.links.settle(of(router, lease), Counts(1, 0, 2), is_unserved=False)


def of(router: int, lease: int) -> Claims:
    return replace(CLAIMS, lease_id=Identity(9, lease), router=router)


@pytest.fixture
async def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Named]:
    for name in ("_LOOK_UP_SECONDS", "_SOON_SECONDS"):
        monkeypatch.setattr(router_name, name, 0.05)
    named = Named(tmp_path / "authority")
    yield named
    named.running.cancel()
    await asyncio.wait({named.running})
    await named.links.close()
    for router in named.started:
        await router.stop()


async def test_each_address_behind_a_name_has_its_own_stream(named: Named) -> None:
    await named.start(*named.routers)
    named.told = tuple(named.hosts)
    await named.heard(*named.routers)
    for router, lease in ((1, 10), (2, 20)):
        named.links.accept(of(router, lease))
        named.settle(router, lease)
    assert await named.links.settled(10) == 0
    assert [sorted(set(router.settled)) for router in named.routers] == [[10], [20]]


async def test_a_router_that_comes_is_reported_to_and_one_that_goes_is_left_once_it_is_gone(
    named: Named,
) -> None:
    await named.start(named.routers[0])
    named.told = (named.hosts[0],)
    await named.heard(named.routers[0])
    await named.start(named.routers[1])
    named.told = tuple(named.hosts)
    await named.heard(*named.routers)
    # The resolver leaves out one that lives.
    named.told = (named.hosts[1],)
    await named.looked()
    assert named.addresses == named.hosts
    await named.stop(named.routers[0])
    await until(lambda: named.addresses == [named.hosts[1]], 20)
    assert named.links.is_registered


async def test_what_a_router_did_not_confirm_that_goes_is_told_to_another(named: Named) -> None:
    await named.start(*named.routers)
    named.told = tuple(named.hosts)
    await named.heard(*named.routers)
    named.routers[0].is_confirming = False
    named.links.accept(of(1, 10))
    named.links.accept(of(1, 11))
    named.settle(1, 10)
    await until(lambda: 10 in named.routers[0].settled, 10)
    named.told = (named.hosts[1],)
    await named.stop(named.routers[0])
    await until(lambda: 10 in named.routers[1].settled, 20)
    # One that ends only then is settled with it too.
    named.settle(1, 11)
    assert await named.links.settled(10) == 0
    assert sorted(set(named.routers[1].settled)) == [10, 11]


async def test_a_router_that_is_at_another_address_is_told_what_it_lent(named: Named) -> None:
    await named.start(*named.routers)
    named.told = tuple(named.hosts)
    await named.heard(*named.routers)
    await named.stop(named.routers[0])
    named.settle(1, 10)
    moved = Router(f"127.0.0.5:{named.port}", 1, named.routers[0].tls)
    await named.start(moved)
    named.told = (named.hosts[1], moved.address)
    await until(lambda: 10 in moved.settled + named.routers[1].settled, 20)
    assert named.routers[0].settled == []


async def test_a_resolver_that_is_away_or_empty_takes_no_router_away(
    named: Named, capsys: pytest.CaptureFixture[str]
) -> None:
    named.told = OSError("no answer")
    await named.looked()
    await named.start(*named.routers)
    named.told = tuple(named.hosts)
    await named.heard(*named.routers)
    named.told = OSError("no answer")
    await named.stop(named.routers[0])
    await named.looked()
    assert named.addresses == named.hosts
    await named.start(named.routers[0])
    await named.heard(named.routers[0])
    # Once for each time that it was away, however often it was asked.
    assert capsys.readouterr().out.count("router_name_unknown") == 2


async def test_a_host_behind_the_name_that_has_no_certificate_of_it_is_told_nothing(named: Named) -> None:
    await named.start(named.routers[0], named.stranger)
    named.told = (named.hosts[0], named.stranger.address)
    await named.heard(named.routers[0])
    await named.looked()
    assert named.stranger.reports == []


async def test_no_more_routers_are_followed_than_a_list_may_have(named: Named) -> None:
    named.told = tuple(f"127.0.1.{number}:{named.port}" for number in range(40))
    await until(lambda: len(named.addresses) > 1, 20)
    assert len(named.addresses) == 16
