"""GET /healthz: the process lives; GET /readyz: requests can be served, or why not."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Final

from services.edge.domain.openai.answer_types import HealthAnswer
from services.edge.domain.openai.operation import Operation
from services.edge.domain.ports import Router
from services.edge.server.http.exchange import Exchange
from services.edge.server.resource import Resource
from services.runtime.metrics.process_state import ShownState
from services.runtime.probes import PROBES

_LOOK_SECONDS: Final = 5.0
_READY: Final = b'{"status":"ready"}'
_ALIVE: Final = b'{"status":"alive"}'

_LIVE: Final = Operation("isAlive", "the process lives", answer=HealthAnswer, statuses=(431, 500))
_READINESS: Final = Operation(
    "isReady",
    "whether requests are taken",
    answer=HealthAnswer,
    statuses=(431, 500),
    others=((503, HealthAnswer),),
)


class Health:
    """Both endpoints; asks for no key and counts nothing."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._is_draining = False
        state = self._state = ShownState()
        PROBES.ready_by(lambda: state.reason)
        self.resources = (
            Resource("GET", "/healthz", self.serve_live, _LIVE),
            Resource("GET", "/readyz", self.serve_ready, _READINESS),
        )

    def drain(self) -> None:
        """Says not ready from now on."""
        self._is_draining = True
        self._state.drain()

    async def follow(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Looks now and then, for ever: metrics show what was seen last."""
        while True:
            await self._why_not()
            await sleep(_LOOK_SECONDS)

    async def serve_live(self, exchange: Exchange) -> None:
        """Answers 200."""
        await exchange.answer(200, _ALIVE)

    async def serve_ready(self, exchange: Exchange) -> None:
        """Answers 200, or 503 with the reason while the process drains or the router can place nothing."""
        reason = await self._why_not()
        if reason is None:
            await exchange.answer(200, _READY)
            return
        answer = json.dumps({"status": "not ready", "reason": reason}, separators=(",", ":"))
        await exchange.answer(503, answer.encode())

    async def _why_not(self) -> str | None:
        if self._is_draining:
            return "draining"
        reason = await self._router.not_ready_reason()
        self._state.tell("" if reason is None else reason.name)
        return reason
