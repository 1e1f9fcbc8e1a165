"""The edge's address, and how what is refused below the application looks to an OpenAI client."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from services.edge.domain.cors import Cors
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.errors import (
    BODY_WASTEFUL,
    HTTP_VERSION_UNSUPPORTED,
    REQUEST_MALFORMED,
    TOO_MANY_CONNECTIONS,
    headers_too_large,
    public_error,
    public_json,
    retry_headers,
)
from services.edge.server.application import Application
from services.edge.server.http.certificate import Certificate
from services.edge.server.http.exchange import JSON_TYPE
from services.edge.settings import HttpListen
from services.kernel.clock import Clock
from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.runtime.http.bounds import HttpBounds, Refusal, RefusalAnswer
from services.runtime.http.server import AddressTakenError, HttpServer, bind
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError

_log = get_logger(__name__)
# The application refuses what is above the bound, as an event of its endpoint. What is far above is
# not even parsed.
_PARSED_FOR_EACH_ALLOWED: Final = 2
_PUBLIC_ERRORS: Final = MappingProxyType(
    {
        Refusal.MALFORMED: REQUEST_MALFORMED,
        Refusal.VERSION_UNSUPPORTED: HTTP_VERSION_UNSUPPORTED,
        Refusal.BODY_WASTEFUL: BODY_WASTEFUL,
        Refusal.TOO_MANY_CONNECTIONS: TOO_MANY_CONNECTIONS,
        Refusal.CRASHED: public_error(Reason.INTERNAL),
    }
)


class Listener:
    """Accepts connections from `start` until `stop`; SettingsError where its TLS files cannot be read."""

    def __init__(
        self, listen: HttpListen, application: Application, limits: EdgeLimits, clock: Clock
    ) -> None:
        self._listen = listen
        self.certificate = None if listen.tls is None else Certificate(listen.tls)
        self._server = HttpServer(application, _bounds(limits), _refusals(limits), clock)
        self.port = 0

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._server.connections

    async def start(self) -> None:
        """Binds and accepts; SettingsError if the address is taken."""
        host, port = self._listen.host, self._listen.port
        try:
            bound = bind(host, port)
        except AddressTakenError:
            raise SettingsError(
                f"the address {host}:{port} is taken; stop what listens there or set another."
            ) from None
        self.port = bound.getsockname()[1]
        await self._server.start(bound, None if self.certificate is None else self.certificate.context)
        _log.info("listening", port=self.port)

    async def stop(self) -> None:
        """Accepts nothing more, lets open answers end within the drain's bound, then ends them."""
        await self._server.stop()


def _bounds(limits: EdgeLimits) -> HttpBounds:
    return HttpBounds(
        max_head_bytes=_PARSED_FOR_EACH_ALLOWED * limits.max_header_bytes,
        max_connections=limits.max_connections,
        head_seconds=limits.header_seconds,
        idle_seconds=limits.idle_connection_seconds,
        drain_seconds=limits.drain_seconds,
        write_seconds=limits.write_seconds,
    )


def _refusals(limits: EdgeLimits) -> Callable[[Refusal], RefusalAnswer]:
    said = {**_PUBLIC_ERRORS, Refusal.HEAD_TOO_LARGE: headers_too_large(limits.max_header_bytes)}
    # Which origin asks is not read here, so a page reads these where any origin may.
    added = Cors(limits.cors_origins).answer_headers(())

    def answer(refusal: Refusal) -> RefusalAnswer:
        public = said[refusal]
        request_id = (b"x-request-id", Identity.random().hex.encode())
        retry = retry_headers(public, retry_after_seconds=0.0, is_spent=False)
        return RefusalAnswer(public.status, (JSON_TYPE, request_id, *retry, *added), public_json(public))

    return answer
