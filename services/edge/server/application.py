"""The boundary around every request, and the routes behind it."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.errors import METHOD_NOT_ALLOWED, headers_too_large
from services.edge.domain.openai.paths import CHAT_PATH, MODELS_PATH, served_path
from services.edge.domain.ports import UsageReports
from services.edge.domain.timeline import Endpoint
from services.edge.server.chat import ChatCompletions
from services.edge.server.health import Health
from services.edge.server.http.exchange import ClientGoneError, Exchange, HttpRefusalError
from services.edge.server.http.watches import WriteWatch
from services.edge.server.models import Models
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError, Reason
from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)
_EXCHANGE = "comptoir.exchange"

Serve = Callable[[Exchange], Awaitable[None]]


class Application:
    """The ASGI application: no exception, and no input in an error, leaves it."""

    def __init__(
        self,
        *,
        chat: ChatCompletions,
        models: Models,
        health: Health,
        usage: UsageReports,
        clock: Clock,
        limits: EdgeLimits,
    ) -> None:
        self._usage = usage
        self._clock = clock
        self._limits = limits
        self._router = Router(
            routes=[
                Route(CHAT_PATH, _Resource("POST", chat.serve)),
                Route(MODELS_PATH, _Resource("GET", models.serve_list)),
                Route(MODELS_PATH + "/{name:path}", _Resource("GET", models.serve_one)),
                Route("/healthz", _Resource("GET", health.serve_live)),
                Route("/readyz", _Resource("GET", health.serve_ready)),
            ],
            redirect_slashes=False,
            default=_no_route,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        scope["path"] = served_path(scope["path"])
        exchange = scope[_EXCHANGE] = Exchange(scope, receive, send, clock=self._clock)
        # Before all that may refuse the request: a refusal is an event of its endpoint too.
        exchange.event.endpoint = _endpoint(scope["path"])
        with WriteWatch(exchange, write_seconds=self._limits.write_seconds):
            await self._answer(exchange, receive, send)
        if exchange.is_client_gone:
            exchange.client_left()
        self._report(exchange)

    async def _answer(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        try:
            await self._serve(exchange, receive, send)
        except ClientGoneError:
            exchange.client_left()
        except asyncio.CancelledError:
            # Only the end of a drain cancels a request. The client learns it in the answer.
            await exchange.fail(ComptoirError(Reason.REPLICA_DRAINING))
        except Exception as error:  # noqa: BLE001 - the boundary: what is unexpected leaves as a type name
            log_failure(_log, "request_failed", error, request_id=exchange.event.request_id.hex)
            await exchange.fail(ComptoirError(Reason.INTERNAL))

    async def _serve(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        try:
            self._check_headers(exchange)
            await self._router(exchange.scope, receive, send)
        except ComptoirError as error:
            await exchange.fail(error)
        except HttpRefusalError as refusal:
            await exchange.refuse(refusal)

    def _check_headers(self, exchange: Exchange) -> None:
        header_bytes = sum(len(name) + len(value) for name, value in exchange.scope["headers"])
        if header_bytes + len(exchange.scope["raw_path"]) > self._limits.max_header_bytes:
            public = headers_too_large(self._limits.max_header_bytes)
            raise HttpRefusalError(public, Reason.REQUEST_TOO_LARGE)

    def _report(self, exchange: Exchange) -> None:
        event = exchange.event
        if event.endpoint is Endpoint.OTHER:
            # Probes of health, and paths that anybody may make up.
            return
        event.ended_seconds = self._clock.monotonic_seconds()
        self._usage.report(event)


class _Resource:
    """One route's endpoint and the one method that it takes."""

    def __init__(self, method: str, serve: Serve) -> None:
        self._methods = ("GET", "HEAD") if method == "GET" else (method,)
        self._serve = serve

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        if scope["method"] not in self._methods:
            allow = (b"allow", ", ".join(self._methods).encode())
            raise HttpRefusalError(METHOD_NOT_ALLOWED, Reason.ROUTE_NOT_FOUND, [allow])
        exchange: Exchange = scope[_EXCHANGE]
        await self._serve(exchange)


def _endpoint(path: str) -> Endpoint:
    if path == CHAT_PATH:
        return Endpoint.CHAT_COMPLETIONS
    if path == MODELS_PATH or path.startswith(MODELS_PATH + "/"):
        return Endpoint.MODELS
    return Endpoint.OTHER


async def _no_route(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ComptoirError(Reason.ROUTE_NOT_FOUND)
