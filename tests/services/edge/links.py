"""Routers in memory that an edge may lose, and the edge's side of several."""

import asyncio
from collections.abc import Callable

from services.edge.domain.generation import GenerationRequest
from services.edge.domain.nearest_router import NearestRouter
from services.edge.domain.ports import Admission, Standing
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from tests.contracts.edge_router_port import CHAT, REQUEST
from tests.services.edge.memory import MemoryRouter
from tests.services.edge.scripts import GOOD_KEY, RouterScript

GONE = ComptoirError(Reason.UNAVAILABLE)


class MemoryLink(MemoryRouter):
    """A router that fails its first questions with what it is told, and is heard to serve by `serve`."""

    def __init__(self, script: RouterScript, *failures: ComptoirError) -> None:
        super().__init__(script)
        self.failures = list(failures)
        self.standing = Standing.PLACING
        self.round_trip_seconds: float | None = None
        self.losses = 0
        self.looks: list[Standing] = []
        self.has_been_looked_at = asyncio.Event()
        self.is_lost = asyncio.Event()
        self.script = script
        self.is_asked = asyncio.Event()
        self.fails = asyncio.Event()
        self.open = 0
        # Serves again as soon as it is asked whether it does.
        self.is_back_at_once = False

    async def admit(
        self,
        *,
        key: str,
        request: GenerationRequest,
        request_id: Identity,
        within_seconds: float,
        source: int = 0,
    ) -> Admission:
        self.is_asked.set()
        if self.failures:
            raise self.failures.pop(0)
        answering = asyncio.ensure_future(
            super().admit(
                key=key, request=request, request_id=request_id, within_seconds=within_seconds, source=source
            )
        )
        failing = asyncio.ensure_future(self.fails.wait())
        self.open += 1
        try:
            await asyncio.wait({answering, failing}, return_when=asyncio.FIRST_COMPLETED)
            if failing.done():
                raise GONE
            return answering.result()
        finally:
            self.open -= 1
            answering.cancel()
            failing.cancel()

    def lose(self) -> None:
        self.losses += 1
        self.is_lost.set()
        self.standing = Standing.PLACING if self.is_back_at_once else Standing.LOST

    def tell(self, served_again: Callable[[], None]) -> None:
        self._served_again = served_again

    async def look(self) -> None:
        self.looks.append(self.standing)
        if len(self.looks) > 2:
            self.has_been_looked_at.set()

    def serve(self) -> None:
        self.standing = Standing.PLACING
        self._served_again()


def script() -> RouterScript:
    return RouterScript(["a", "b"])


def nearest(*links: MemoryLink, seconds: float = 30.0) -> NearestRouter:
    return NearestRouter(links, SystemClock(), unreachable_seconds=seconds, nearer_seconds=0.002)


async def admit(router: NearestRouter, within_seconds: float = 60.0) -> Admission:
    asking = router.admit(key=GOOD_KEY, request=CHAT, request_id=REQUEST, within_seconds=within_seconds)
    return await asyncio.wait_for(asking, 10)
