"""Joins the edge's endpoints with the processes that it calls, and says how they start and stop."""

import asyncio
import secrets
from importlib.metadata import version

from services.edge.adapters.generator_client import GeneratorClient
from services.edge.adapters.hedge_counter import HedgeCounter
from services.edge.adapters.key_seal import KeySeal
from services.edge.adapters.request_log import RequestLog
from services.edge.adapters.router_client import RouterClient
from services.edge.adapters.usage_reporter import UsageReporter
from services.edge.domain.hedging import Hedging
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.nearest_router import NearestRouter
from services.edge.domain.ports import Generators, Router, UsageReports
from services.edge.domain.prefixes import PREFIX_SECRET_BYTES, PrefixDigests
from services.edge.domain.router_spread import RouterSpread
from services.edge.server.application import Application
from services.edge.server.bodies import Bodies
from services.edge.server.chat import ChatCompletions
from services.edge.server.completions import Completions
from services.edge.server.counting import TokenCounting
from services.edge.server.delivery import Deliveries
from services.edge.server.embeddings import Embeddings
from services.edge.server.health import Health
from services.edge.server.http.certificate import Certificate
from services.edge.server.http.listener import Listener
from services.edge.server.known_keys import KnownKeys
from services.edge.server.large_answers import LargeAnswers
from services.edge.server.models import Models
from services.edge.server.pages import Pages
from services.edge.server.resource import HttpEndpoint
from services.edge.server.responses import Responses
from services.edge.settings import EdgeSettings, HttpListen
from services.kernel.clock import Clock, SystemClock
from services.kernel.key_regions import KeyRegions
from services.runtime.emitter_client import EmitterClient
from services.runtime.parts import Parts
from services.runtime.settings import read_secret


def build(settings: EdgeSettings) -> "Edge":
    """Returns an edge on the machine's clock."""
    return Edge(settings, SystemClock())


class Edge:
    """One edge: the connections to the processes that it calls, and the HTTP side that uses them."""

    def __init__(self, settings: EdgeSettings, clock: Clock) -> None:
        self._settings = settings
        prefixes = PrefixDigests(prefix_secret(settings))
        self._routers = [
            RouterClient(target, timeout_seconds=settings.router_seconds, prefixes=prefixes)
            for target in settings.routers
        ]
        self._nearest = NearestRouter(
            self._routers,
            clock,
            unreachable_seconds=settings.unreachable_seconds,
            nearer_seconds=settings.nearer_router_seconds,
            spread=router_spread(settings, prefixes),
        )
        self._generators = GeneratorClient(
            settings.generator_tls,
            clock,
            max_channels=settings.max_generator_channels,
            peer_region=settings.generator_peer_region,
        )
        emitter = EmitterClient(settings.emitter, clock=clock, wait_seconds=settings.emitter_seconds)
        self._usage = UsageReporter(
            emitter, settings.home.number, settings.digest, max_waiting=settings.max_waiting_events
        )
        self._http = HttpSide(
            settings,
            settings.listen,
            clock,
            router=self._nearest,
            generators=self._generators,
            usage=RequestLog(
                self._usage, settings.catalog.model_names, is_secured=settings.listen.tls is not None
            ),
            key_regions=KeyRegions(settings.catalog, settings.home),
        )
        self._looking: list[asyncio.Task[None]] = []

    async def start(self, parts: Parts) -> None:
        """Accepts requests; SettingsError if the address is taken."""
        await self._http.start()
        # Whatever else runs here runs for a request or for an event.
        if self._http.certificate is not None:
            parts.run("certificate", self._http.certificate.watch())
        self._looking.append(parts.run("readiness", self._http.follow_readiness()))
        if len(self._routers) > 1:
            self._looking.append(parts.run("routers", self._nearest.watch()))

    async def drain(self) -> None:
        """Ends the HTTP side, then hands over the events that are left, then closes the connections."""
        await self._http.drain()
        await self._usage.close(within_seconds=self._settings.drain_events_seconds)
        # A question over a connection that is closed would be a failure of theirs.
        for looking in self._looking:
            looking.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        await asyncio.gather(self._generators.close(), *(router.close() for router in self._routers))


def prefix_secret(settings: EdgeSettings) -> bytes:
    """Returns the secret under which prompts' beginnings are digested; SettingsError if it is unusable."""
    if settings.prefix_secret_file is None:
        return secrets.token_bytes(PREFIX_SECRET_BYTES)
    return read_secret(settings.prefix_secret_file, length_bytes=PREFIX_SECRET_BYTES)


def router_spread(settings: EdgeSettings, prefixes: PrefixDigests) -> RouterSpread | None:
    """Returns what divides questions among the routers; None where one is asked as long as it serves."""
    routers = [target.address for target in settings.routers]
    return RouterSpread(routers, prefixes) if settings.spread_over_routers and len(routers) > 1 else None


class HttpSide:
    """The endpoints, behind one listener."""

    def __init__(  # noqa: PLR0913 - one argument per part that the edge has or asks
        self,
        limits: EdgeLimits,
        listen: HttpListen,
        clock: Clock,
        *,
        router: Router,
        generators: Generators,
        usage: UsageReports,
        key_regions: KeyRegions | None = None,
    ) -> None:
        self._limits = limits
        hedging = Hedging(limits.first_token_hedge_seconds, count=HedgeCounter().count)
        self._deliveries = Deliveries(router, generators, limits, clock, hedging)
        self._health = Health(router)
        bodies = Bodies(limits, KnownKeys(router, clock))
        large_answers = LargeAnswers(wait_seconds=limits.first_text_seconds)
        endpoints: list[HttpEndpoint] = [
            ChatCompletions(bodies, self._deliveries, large_answers, limits),
            Completions(bodies, self._deliveries, large_answers, limits),
            Responses(bodies, self._deliveries, large_answers, limits, KeySeal),
            Embeddings(bodies, self._deliveries, large_answers),
            TokenCounting(bodies, router, generators, large_answers, limits, KeySeal),
            Models(router),
            self._health,
        ]
        endpoints.append(Pages(endpoints, version=version("comptoir")))
        self.resources = tuple(resource for endpoint in endpoints for resource in endpoint.resources)
        self._application = Application(
            endpoints, usage=usage, clock=clock, limits=limits, key_regions=key_regions
        )
        self._listener = Listener(listen, self._application, limits, clock)
        self._is_started = False

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._listener.port

    @property
    def certificate(self) -> Certificate | None:
        """The listener's certificate, to be watched; None without TLS."""
        return self._listener.certificate

    async def follow_readiness(self) -> None:
        """Looks whether requests can be served, for the metrics, for ever."""
        await self._health.follow()

    async def start(self) -> None:
        """Accepts requests; SettingsError if the address is taken."""
        await self._listener.start()
        self._is_started = True

    async def drain(self) -> None:
        """Says not ready, stops accepting, lets answers end within their bound, gives leases back."""
        self._health.drain()
        if self._is_started:
            await asyncio.sleep(self._limits.drain_notice_seconds)
        await self._listener.stop()
        await self._deliveries.close(within_seconds=self._limits.router_seconds)
