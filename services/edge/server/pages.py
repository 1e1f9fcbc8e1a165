"""GET / and /openapi.json: a page for people, and the description of the API for their tools."""

from collections.abc import Sequence
from typing import Final

from services.edge.domain.openai.openapi import openapi_json
from services.edge.domain.openai.operation import Operation
from services.edge.domain.welcome import WELCOME_HEADERS, WELCOME_PAGE
from services.edge.server.http.exchange import Exchange
from services.edge.server.resource import HttpEndpoint, Resource

_HTML_TYPE: Final = (b"content-type", b"text/html; charset=utf-8")
_OPENAPI: Final = Operation("describeApi", "this description", statuses=(431, 500))
_WELCOME: Final = Operation("welcome", "a page for people", statuses=(431, 500), media_type="text/html")


class Pages:
    """Both endpoints; ask for no key, count nothing, and send what was made when the process started."""

    def __init__(self, endpoints: Sequence[HttpEndpoint], *, version: str) -> None:
        self.resources = (
            Resource("GET", "/", self.serve_welcome, _WELCOME),
            Resource("GET", "/openapi.json", self.serve_openapi, _OPENAPI),
        )
        described = [resource for endpoint in endpoints for resource in endpoint.resources]
        self._openapi = openapi_json(
            ((one.method, one.path, one.operation) for one in (*described, *self.resources)),
            version=version,
        )

    async def serve_welcome(self, exchange: Exchange) -> None:
        """Answers with the page for people."""
        length = (b"content-length", b"%d" % len(WELCOME_PAGE))
        await exchange.begin(200, [_HTML_TYPE, length, *WELCOME_HEADERS])
        await exchange.end(WELCOME_PAGE)

    async def serve_openapi(self, exchange: Exchange) -> None:
        """Answers with the description of the API."""
        await exchange.answer(200, self._openapi)
