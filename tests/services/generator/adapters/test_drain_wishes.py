"""An operator's drain reaches the replica on its stream to any router, and every router then hears of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from comptoir.router.v1 import replica_pb2

from services.generator.adapters.router_links import RouterLinks
from services.generator.domain.ports import Capabilities, Feature
from services.generator.domain.ticket import Replica
from services.kernel.clock import SystemClock
from services.runtime.addresses import GrpcTarget
from tests.contracts.engine_requests import until
from tests.services.generator.adapters.reported import Load, Router


class DrainingRouter(Router):
    """A router whose answers say what an operator wants, if anything."""

    wish: bool | None = None

    async def Report(  # noqa: N802
        self, requests: AsyncIterator[replica_pb2.ReportRequest], context: Any
    ) -> AsyncIterator[replica_pb2.ReportResponse]:
        async for answer in super().Report(requests, context):
            if self.wish is not None:
                answer.is_drain_wanted = self.wish
            yield answer


async def test_what_one_router_says_of_a_drain_is_done_and_told_to_all(tmp_path: Path) -> None:
    routers = [DrainingRouter(f"unix:{tmp_path}/router-{number}", number) for number in (1, 2)]
    targets = [GrpcTarget(address=router.address) for router in routers]
    links = RouterLinks(targets, SystemClock(), interval_seconds=0.02, lifetime_seconds=600.0)
    links.register(
        Replica(7, 1, 3), "127.0.0.1:1", Capabilities(1024, 16, 500, Feature.TOKEN_IDS), 32, incarnation=7
    )
    load, told = Load(), list[bool]()

    def hold_back(*, is_wanted: bool) -> None:
        told.append(is_wanted)
        load.is_draining = is_wanted
        links.load_changed()

    running = asyncio.create_task(links.run(load, hold_back))
    for router in routers:
        await router.start()
    await until(lambda: all(len(router.reports) >= 3 for router in routers), 5)
    assert told == []
    for wish in (True, False):
        routers[0].wish = wish

        def is_said_to_all(wish: bool = wish) -> bool:
            return all(router.reports[-1].load.is_draining is wish for router in routers)

        await until(is_said_to_all, 5)
    assert told[0]
    running.cancel()
    await asyncio.wait({running})
    await links.close()
    for router in routers:
        await router.stop()
