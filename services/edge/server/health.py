"""GET /healthz: the process lives; GET /readyz: it takes requests and reaches the router."""

from services.edge.domain.ports import Router
from services.edge.server.exchange import Exchange

_READY = b'{"status":"ready"}'
_NOT_READY = b'{"status":"not ready"}'
_ALIVE = b'{"status":"alive"}'


class Health:
    """Both endpoints; asks for no key and counts nothing."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self.is_draining = False

    async def serve_live(self, exchange: Exchange) -> None:
        """Answers 200."""
        await exchange.answer(200, _ALIVE)

    async def serve_ready(self, exchange: Exchange) -> None:
        """Answers 200, or 503 while the process drains or the router does not serve."""
        is_ready = not self.is_draining and await self._router.is_ready()
        await exchange.answer(200 if is_ready else 503, _READY if is_ready else _NOT_READY)
