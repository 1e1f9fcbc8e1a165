"""GET /healthz: the process lives; GET /readyz: requests can be served, or why not."""

import json
from typing import Final

from services.edge.domain.openai.answer_types import HealthAnswer
from services.edge.domain.openai.operation import Operation
from services.edge.domain.ports import Router
from services.edge.server.http.exchange import Exchange
from services.edge.server.resource import Resource

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
        self.is_draining = False
        self.resources = (
            Resource("GET", "/healthz", self.serve_live, _LIVE),
            Resource("GET", "/readyz", self.serve_ready, _READINESS),
        )

    async def serve_live(self, exchange: Exchange) -> None:
        """Answers 200."""
        await exchange.answer(200, _ALIVE)

    async def serve_ready(self, exchange: Exchange) -> None:
        """Answers 200, or 503 with the reason while the process drains or the router can place nothing."""
        reason = "draining" if self.is_draining else await self._router.not_ready_reason()
        if reason is None:
            await exchange.answer(200, _READY)
            return
        answer = json.dumps({"status": "not ready", "reason": reason}, separators=(",", ":"))
        await exchange.answer(503, answer.encode())
