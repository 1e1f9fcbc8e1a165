"""Joins the page with its sources, and says how they start and stop."""

import ssl
from typing import Final

import httpx

from services.console.adapters.clickhouse_store import ClickHouseStore
from services.console.adapters.edge_http import EdgeHttp
from services.console.adapters.readiness import AskedProcesses
from services.console.adapters.router_admin import RouterAdmin
from services.console.server.application import Console
from services.console.server.guard import Guard
from services.console.server.listener import Listener
from services.console.server.pages import Pages
from services.console.server.trying import Trying
from services.console.server.views import Views
from services.console.settings import ConsoleSettings, HttpTarget
from services.contract.sign_in_link import LINK_SECRET_BYTES
from services.kernel.clock import Clock, SystemClock
from services.runtime.metrics.process_state import ShownState
from services.runtime.parts import Parts
from services.runtime.probes import PROBES
from services.runtime.settings import SettingsError, read_secret

# An edge that drains waits for those who keep a connection over TLS and do not read that it has ended.
_KEPT_CONNECTIONS: Final = 0


def build(settings: ConsoleSettings) -> "ConsoleProcess":
    """Returns a console on the machine's clock."""
    return ConsoleProcess(settings, SystemClock())


class ConsoleProcess:
    """One console: what it asks, and the HTTP side that shows it."""

    def __init__(self, settings: ConsoleSettings, clock: Clock) -> None:
        file = settings.secret_file
        secret = None if file is None else read_secret(file, length_bytes=LINK_SECRET_BYTES)
        # Its sources may be away: then it says so, on its page.
        state = self._state = ShownState()
        PROBES.ready_by(lambda: state.reason)
        self._client = http_client(settings.edge, most_answers=settings.max_trials)
        self._processes = AskedProcesses(settings, self._client)
        self._router = RouterAdmin(settings.admin)
        self._store = ClickHouseStore(settings.store)
        self._views = Views(self._processes, self._router, self._store, settings, clock)
        edge = EdgeHttp(
            self._client, answer_seconds=settings.trial_seconds, extensions=settings.edge.extensions
        )
        console = Console(
            Guard(settings, secret, clock),
            self._views,
            Pages(settings.catalog, settings.region),
            Trying(edge, most=settings.max_trials, seconds=settings.trial_seconds),
        )
        self.listener = Listener(
            settings.listen, console.application(), max_connections=settings.max_connections, clock=clock
        )

    async def start(self, parts: Parts) -> None:
        """Serves the page; SettingsError if the address is taken."""
        await self.listener.start()
        self._state.tell("")
        parts.run("certificate", self.listener.watch())

    async def drain(self) -> None:
        """Accepts nothing more, and ends what is under way."""
        self._state.drain()
        await self.listener.stop()
        await self._views.close()
        await self._processes.close()
        await self._router.close()
        await self._store.close()
        await self._client.aclose()


def http_client(target: HttpTarget, *, most_answers: int) -> httpx.AsyncClient:
    """Returns a client of one server, which follows nothing and takes no proxy of the environment.

    It has a connection for each answer that may be under way, and one to ask for readiness beside them.
    """
    try:
        verify = (
            ssl.create_default_context(cafile=target.ca_file) if target.url.startswith("https") else False
        )
    except OSError:
        raise SettingsError("console.edge.ca_file is no certificate of an authority.") from None
    limits = httpx.Limits(max_connections=most_answers + 1, max_keepalive_connections=_KEPT_CONNECTIONS)
    return httpx.AsyncClient(base_url=target.url, verify=verify, limits=limits, trust_env=False)
