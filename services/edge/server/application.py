"""The boundary around every request, and the routes behind it."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Final

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from services.edge.domain.cors import Cors
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.errors import METHOD_NOT_ALLOWED, endpoint_not_offered, headers_too_large
from services.edge.domain.openai.not_offered import why_not_offered
from services.edge.domain.openai.paths import endpoint_of, served_path
from services.edge.domain.ports import UsageReports
from services.edge.domain.sources import Sources
from services.edge.domain.timeline import Endpoint
from services.edge.server.http.exchange import ClientDisconnectedError, Exchange, HttpRefusalError
from services.edge.server.http.watches import WriteWatch
from services.edge.server.resource import HttpEndpoint, Resource
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason, forget_frames
from services.kernel.key_regions import KeyRegions
from services.runtime.logs import get_logger, log_failure
from services.runtime.metrics.registry import edge as metrics
from services.runtime.telemetry import gauge

_log = get_logger(__name__)
_EXCHANGE: Final = "comptoir.exchange"
_SECRET_BYTES: Final = 32


class Application:
    """The ASGI application: no exception, and no input in an error, leaves it."""

    def __init__(
        self,
        endpoints: Sequence[HttpEndpoint],
        *,
        usage: UsageReports,
        clock: Clock,
        limits: EdgeLimits,
        key_regions: KeyRegions | None = None,
    ) -> None:
        self._usage = usage
        # The meter outlives the application and keeps what it reads.
        opened = self._open = [0]
        gauge(metrics.OPEN_REQUESTS, read=lambda: opened[0])
        self._clock = clock
        self._limits = limits
        self._key_regions = key_regions
        self._cors = Cors(limits.cors_origins)
        # The secret ends with the process: what was digested under it can be tied to no address afterwards.
        self._sources = Sources(
            secrets.token_bytes(_SECRET_BYTES), forwarding_proxies=limits.forwarding_proxies
        )
        served = {
            resource.path: _Served(resource, self._cors)
            for endpoint in endpoints
            for resource in endpoint.resources
        }
        # Most requests ask for a path without a `{name:path}`, and to look it up costs less than to match it.
        self._served = {path: one for path, one in served.items() if "{" not in path}
        self._router = Router(
            routes=[Route(path, one) for path, one in served.items()],
            redirect_slashes=False,
            default=_no_route,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        self._open[0] += 1
        try:
            await self._serve_counted(scope, receive, send)
        finally:
            self._open[0] -= 1

    async def _serve_counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path"] = served_path(scope["path"])
        exchange = scope[_EXCHANGE] = Exchange(scope, receive, send, clock=self._clock)
        exchange.key_regions = self._key_regions
        # Before all that may refuse the request: a refusal is an event of its endpoint too.
        exchange.event.endpoint = endpoint_of(scope["path"])
        exchange.event.source = self._sources.of(scope["client"], exchange.header_values(b"x-forwarded-for"))
        if self._cors.is_on:
            exchange.add_headers(self._cors.answer_headers(exchange.header_values(b"origin")))
        with WriteWatch(exchange, write_seconds=self._limits.write_seconds):
            await self._answer(exchange, receive, send)
        if exchange.is_client_disconnected:
            exchange.note_disconnect()
        self._report(exchange)

    async def _answer(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        try:
            await self._serve(exchange, receive, send)
        except ClientDisconnectedError:
            exchange.note_disconnect()
        except asyncio.CancelledError:
            # Only the end of a drain cancels a request. The client learns it in the answer.
            await exchange.fail(ComptoirError(Reason.REPLICA_DRAINING))
        except Exception as error:  # noqa: BLE001 - the boundary: what is unexpected leaves as a type name
            log_failure(_log, "request_failed", error, request_id=exchange.event.request_id.hex)
            forget_frames(error)
            await exchange.fail(ComptoirError(Reason.INTERNAL))

    async def _serve(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        try:
            self._check_headers(exchange)
            serve = self._served.get(exchange.scope["path"], self._router)
            if exchange.scope["method"] == "OPTIONS":
                # It asks what a resource takes, for no key, and uses none.
                exchange.event.endpoint = Endpoint.OTHER
            await serve(exchange.scope, receive, send)
        except ComptoirError as error:
            forget_frames(error)
            await exchange.fail(error)
        except HttpRefusalError as refusal:
            forget_frames(refusal)
            await exchange.refuse(refusal)

    def _check_headers(self, exchange: Exchange) -> None:
        header_bytes = sum(len(name) + len(value) for name, value in exchange.scope["headers"])
        if header_bytes + len(exchange.scope["raw_path"]) > self._limits.max_header_bytes:
            public = headers_too_large(self._limits.max_header_bytes)
            raise HttpRefusalError(public, Reason.REQUEST_TOO_LARGE)

    def _report(self, exchange: Exchange) -> None:
        event = exchange.event
        if event.endpoint is Endpoint.OTHER:
            # Probes of health, and paths that callers make up.
            return
        event.ended_seconds = self._clock.monotonic_seconds()
        self._usage.report(event)


class _Served:
    """One resource as starlette calls it."""

    def __init__(self, resource: Resource, cors: Cors) -> None:
        self._resource = resource
        self._cors = cors
        self._methods = ", ".join(resource.methods).encode()

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        exchange: Exchange = scope[_EXCHANGE]
        allow = (b"allow", self._methods)
        if scope["method"] == "OPTIONS":
            origins = exchange.header_values(b"origin")
            await exchange.answer_empty([allow, *self._cors.preflight_headers(origins, self._methods)])
        elif scope["method"] in self._resource.methods:
            await self._resource.serve(exchange)
        else:
            raise HttpRefusalError(METHOD_NOT_ALLOWED, Reason.ROUTE_NOT_FOUND, [allow])


async def _no_route(scope: Scope, _receive: Receive, _send: Send) -> None:
    if (scope["method"], scope["path"]) != ("OPTIONS", "*"):
        if why := why_not_offered(scope["path"]):
            raise HttpRefusalError(endpoint_not_offered(why), Reason.ROUTE_NOT_FOUND)
        raise ComptoirError(Reason.ROUTE_NOT_FOUND)
    # The server as a whole is asked.
    exchange: Exchange = scope[_EXCHANGE]
    await exchange.answer_empty([(b"allow", b"GET, HEAD, POST, OPTIONS")])
