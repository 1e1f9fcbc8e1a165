"""The listening socket and uvicorn behind it, bounded before the application sees anything."""

import asyncio
import contextlib
import logging
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.edge.domain.errors import HEADERS_TOO_LARGE, REQUEST_MALFORMED, PublicError, public_json
from services.edge.domain.limits import EdgeLimits
from services.edge.server.application import Application
from services.edge.server.exchange import ABORT
from services.runtime.identity import Identity
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError

_log = get_logger(__name__)
_SILENT = logging.CRITICAL + 1
_BACKLOG = 2048
# HTTP lets a server ignore an offer to upgrade, and the parser would ignore the body instead. Java's
# client offers HTTP/2 with each request in plaintext. The other name has as many letters.
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
# For the answers that the drain's bound ends: time to say so.
_LAST_WORDS_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where HTTP is served; port 0 takes any that is free."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Listener:
    """Accepts connections from `start` until `stop`."""

    def __init__(self, listen: ListenAddress, application: Application, limits: EdgeLimits) -> None:
        self._listen = listen
        self._server = _Server(_config(application, limits, listen.tls))
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Binds and accepts; SettingsError if the address is taken."""
        bound = _bind(self._listen.host, self._listen.port)
        self.port = bound.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[bound]))
        _log.info("listening", port=self.port)

    async def stop(self) -> None:
        """Accepts nothing more, lets open answers end within the drain's bound, then ends them."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        cancelled = self._server.server_state.tasks
        if cancelled:
            await asyncio.wait(cancelled, timeout=_LAST_WORDS_SECONDS)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process decides when to drain."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, which alone would take headers without end and wait for ever for them."""

    max_header_bytes = 0
    header_seconds = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Starts the time within which the first request's headers must be whole."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            # Not every event loop does it, and a delayed small write costs a stream 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._has_open_headers = True
        self._open_header_bytes = 0
        self._unanswered: list[RequestResponseCycle] = []
        self._header_timer: asyncio.TimerHandle | None = self.loop.call_later(
            self.header_seconds, transport.close
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self._stop_header_timer()
        for cycle in self._unanswered:
            # uvicorn tells only the newest request of a connection that the client left.
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses; refuses headers that go on beyond the bound."""
        if self._has_open_headers:
            data = _UPGRADE.sub(b"\r\nx-grade:", data)
        super().data_received(data)
        if not self._has_open_headers or self.transport.is_closing():
            return
        self._open_header_bytes += len(data)
        if self._open_header_bytes > self.max_header_bytes:
            self._refuse(HEADERS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins: its headers are counted and timed."""
        super().on_message_begin()
        self.scope["state"][ABORT] = self.transport.abort
        self._has_open_headers = True
        self._open_header_bytes = 0
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_seconds, self.transport.close)

    def on_headers_complete(self) -> None:
        """The headers are whole; the application bounds their exact size."""
        self._has_open_headers = False
        self._stop_header_timer()
        self._unanswered = [cycle for cycle in self._unanswered if not cycle.response_complete]
        super().on_headers_complete()
        self._unanswered.append(self.cycle)

    def send_400_response(self, msg: str) -> None:
        """Answers what is not HTTP in the shape of every other error."""
        del msg
        self._refuse(REQUEST_MALFORMED)

    def _refuse(self, public: PublicError) -> None:
        body = public_json(public)
        head = (
            f"HTTP/1.1 {public.status} \r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nx-request-id: {Identity.random().hex}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


def _config(application: Application, limits: EdgeLimits, tls: ssl.SSLContext | None) -> uvicorn.Config:
    bounds = {"max_header_bytes": limits.max_header_bytes, "header_seconds": limits.header_seconds}
    return uvicorn.Config(
        application,
        http=type("EdgeProtocol", (BoundedProtocol,), bounds),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=_SILENT,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.idle_connection_seconds,
        timeout_graceful_shutdown=limits.drain_seconds,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise SettingsError(
            f"the address {host}:{port} is taken; stop what listens there or set another."
        ) from None
    bound.listen(_BACKLOG)
    bound.setblocking(False)
    return bound
