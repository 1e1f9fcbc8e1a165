"""The routes of the console, and what stands around every one of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from services.console.domain.spans import Span
from services.console.server.guard import Guard
from services.console.server.pages import Pages
from services.console.server.trying import Trying
from services.console.server.views import Views
from services.runtime.http.asgi import Message, Receive, Scope, Send
from services.runtime.logs import get_logger, log_failure

_log = get_logger(__name__)
Endpoint = Callable[[Request], Awaitable[Response]]
_SIGN_IN: Final = "/sign-in"
_MOST_TOKEN_BYTES: Final = 1_024
_TOKEN_SECONDS: Final = 10.0
_FOREVER: Final = "public, max-age=31536000, immutable"
# Scripts, styles and data are the console's own. Without a referrer a form would not say whence it comes.
HEADERS: Final = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Console:
    """Every endpoint; whoever has not signed on gets the sign-in page and its files, and no number."""

    def __init__(self, guard: Guard, views: Views, pages: Pages, trying: Trying) -> None:
        self._guard = guard
        self._views = views
        self._pages = pages
        self._trying = trying

    def application(self) -> "GuardedApplication":
        """Returns the whole application."""
        routes = [
            Route("/", self._signed_on(self._page)),
            Route("/parts", self._signed_on(self._parts)),
            Route("/try", self._posted(self._signed_on(self._trying)), methods=["POST"]),
            Route(_SIGN_IN, self._sign_in_page),
            Route(_SIGN_IN, self._posted(self._sign_in), methods=["POST"]),
            Route(f"{_SIGN_IN}/moment", self._moment),
            Route("/sign-out", self._posted(self._sign_out), methods=["POST"]),
            Route("/static/{name}", self._file),
            Route("/healthz", _healthy),
            # It listens while it is ready, and its sources may be away: then it says so, on its page.
            Route("/readyz", _healthy),
        ]
        return GuardedApplication(Starlette(routes=routes), self._guard)

    def _signed_on(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            if self._guard.is_signed_on(request):
                return await endpoint(request)
            if self._guard.has_links and request.url.path == "/":
                return RedirectResponse(_SIGN_IN, 303)
            return PlainTextResponse("Sign on first.", 401 if self._guard.has_links else 403)

        return answer

    def _posted(self, endpoint: Endpoint) -> Endpoint:
        async def answer(request: Request) -> Response:
            if self._guard.is_own_post(request):
                return await endpoint(request)
            return PlainTextResponse("Only the console's own page may ask that.", 403)

        return answer

    async def _page(self, request: Request) -> Response:
        view = await self._views.view(_span_of(request))
        return HTMLResponse(self._pages.page(view, can_sign_out=self._guard.has_links), headers=_no_store())

    async def _parts(self, request: Request) -> Response:
        view = await self._views.view(_span_of(request))
        charts = {name: chart.as_json() for name, chart in view.charts.items()}
        return JSONResponse({"parts": self._pages.parts(view), "charts": charts}, headers=_no_store())

    async def _sign_in_page(self, request: Request) -> Response:
        if self._guard.is_signed_on(request):
            return RedirectResponse("/", 303)
        return HTMLResponse(self._pages.sign_in(), headers=_no_store())

    async def _moment(self, _request: Request) -> Response:
        return PlainTextResponse(self._guard.moment().text(), headers=_no_store())

    async def _sign_in(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(_TOKEN_SECONDS):
                token = await _token_of(request)
        except (TimeoutError, ClientDisconnect):
            token = ""  # nobody has signed on, so nobody holds a connection for long
        session = self._guard.sign_in(token)
        if session is None:
            return PlainTextResponse("That link was used, is over, or is not of this console.", 403)
        answer = PlainTextResponse("Signed in.", headers=_no_store())
        answer.set_cookie(
            self._guard.cookie,
            session.secret,
            max_age=session.seconds,
            secure=self._guard.is_secure,
            httponly=True,
            samesite="strict",
        )
        return answer

    async def _sign_out(self, request: Request) -> Response:
        self._guard.sign_out(request)
        answer = RedirectResponse(_SIGN_IN, 303)
        answer.delete_cookie(self._guard.cookie, httponly=True, samesite="strict")
        return answer

    async def _file(self, request: Request) -> Response:
        found = self._pages.files.get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("There is no such file.", 404)
        return Response(found.body, media_type=found.content_type, headers={"Cache-Control": _FOREVER})


class GuardedApplication:
    """What stands around every answer: its headers, the Host, and the boundary of defects."""

    def __init__(self, application: Any, guard: Guard) -> None:  # an ASGI application of another library
        self._application = application
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        is_begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal is_begun
            if message["type"] == "http.response.start":
                is_begun = True
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            if self._guard.is_own_host(Request(scope)):
                await self._application(scope, receive, send_guarded)
            else:
                refused = PlainTextResponse("That name is not one of this console's.", 421)
                await refused(scope, receive, send_guarded)
        except Exception as error:  # noqa: BLE001 - the boundary: a defect is logged by type and place only
            log_failure(_log, "request_crashed", error)
            if not is_begun:
                await PlainTextResponse("Internal error.", 500)(scope, receive, send_guarded)


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("ok")


async def _token_of(request: Request) -> str:
    """Returns the token in a JSON body; empty where there is none."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_TOKEN_BYTES:
            return ""
    try:
        token = json.loads(body)["token"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return token if isinstance(token, str) else ""


def _span_of(request: Request) -> Span:
    return Span.of(request.query_params.get("span", ""))


def _no_store() -> dict[str, str]:
    return {"Cache-Control": "no-store"}
