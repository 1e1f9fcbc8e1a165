"""The HTTP side of the process as one thing that starts and drains."""

import asyncio

from services.edge.domain.limits import EdgeLimits
from services.edge.domain.ports import Ports
from services.edge.server.application import Application
from services.edge.server.chat import ChatCompletions
from services.edge.server.delivery import Deliveries
from services.edge.server.health import Health
from services.edge.server.http.listener import ListenAddress, Listener
from services.edge.server.models import Models
from services.kernel.clock import Clock


class EdgeProcess:
    """Endpoints on their ports, behind one listener."""

    def __init__(self, limits: EdgeLimits, *, listen: ListenAddress, ports: Ports, clock: Clock) -> None:
        self._limits = limits
        self._deliveries = Deliveries(ports.router, ports.generators, limits, clock)
        self._health = Health(ports.router)
        application = Application(
            chat=ChatCompletions(self._deliveries, limits),
            models=Models(ports.router),
            health=self._health,
            usage=ports.usage,
            clock=clock,
            limits=limits,
        )
        self._listener = Listener(listen, application, limits, clock)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    async def start(self) -> None:
        """Accepts requests; SettingsError if the address is taken."""
        await self._listener.start()

    async def drain(self) -> None:
        """Says not ready, stops accepting, lets answers end within their bound, gives leases back."""
        self._health.is_draining = True
        await asyncio.sleep(self._limits.drain_notice_seconds)
        await self._listener.stop()
        await self._deliveries.close(within_seconds=self._limits.router_seconds)
