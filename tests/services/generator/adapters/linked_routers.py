"""A replica's links to several routers."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from services.generator.adapters.router_links import RouterLinks
from services.generator.domain.ports import Capabilities, Feature
from services.generator.domain.terminal_event import Counts
from services.generator.domain.ticket import Claims, Replica
from services.kernel.clock import SystemClock
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcTarget
from tests.contracts.engine_requests import until
from tests.services.generator.adapters.reported import Load, Router
from tests.services.generator.domain.test_ticket import CLAIMS


class Linked:
    """Links to routers, of which each says its number."""

    def __init__(self, folder: Path, numbers: Sequence[int] = (1, 2)) -> None:
        self.routers = [Router(f"unix:{folder}/router-{place}", one) for place, one in enumerate(numbers)]
        self.load = Load()
        targets = [GrpcTarget(address=router.address) for router in self.routers]
        self.links = RouterLinks(targets, SystemClock(), interval_seconds=0.02, lifetime_seconds=600.0)
        capabilities = Capabilities(1024, 16, 500, Feature.TOKEN_IDS)
        self.links.register(Replica(7, 1, 3), "127.0.0.1:1", capabilities, 32, incarnation=77)
        self.running = asyncio.create_task(self.links.run(self.load))

    @property
    def settled(self) -> list[list[int]]:
        return [sorted(set(router.settled)) for router in self.routers]

    @property
    def accepted(self) -> list[list[int]]:
        return [sorted(set(router.accepted)) for router in self.routers]

    def settle(self, one: Claims) -> None:
        self.links.settle(one, Counts(1, 0, 2), is_unserved=False)

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.wait({self.running})
        await self.links.close()
        for router in self.routers:
            if router.server is not None:
                await router.stop()


def of(router: int, lease: int) -> Claims:
    return replace(CLAIMS, lease_id=Identity(9, lease), router=router)


async def both(linked: Linked) -> None:
    for router in linked.routers:
        await router.start()
    await until(lambda: all(len(router.reports) > 2 for router in linked.routers), 10)
