"""The operations port: metrics and probes, from a few threads that no caller can multiply or hold."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from services.runtime.metrics.listen import MetricsListen
from services.runtime.metrics.places import Place, Places
from services.runtime.probes import Probes
from services.runtime.reloaded_tls import ReloadedTls
from services.runtime.settings_error import SettingsError

PATH: Final = "/metrics"
LIVE_PATH: Final = "/healthz"
READY_PATH: Final = "/readyz"
# Longest silence of a caller, within the handshake, the request and the answer.
_SILENCE_SECONDS: Final = 5.0
# Longest life of a connection: a caller that sends a byte now and then ends too.
_WHOLE_SECONDS: Final = 15.0

_RELOAD_SECONDS: Final = 10.0
_IS_KNOWN: Final = "comptoir.is_known"


class MetricsEndpoint:
    """Listens from its making until `close`; it runs beside the process's loop, which may hang."""

    def __init__(self, listen: MetricsListen, registry: CollectorRegistry, probes: Probes) -> None:
        try:
            self._server = _Server((listen.host, listen.port), _tls(listen))
        except OSError:
            raise SettingsError(
                f"the address {listen.host}:{listen.port} of metrics_listen is taken; "
                "stop what listens there or set another."
            ) from None
        self._server.set_app(_application(make_wsgi_app(registry), probes))
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Takes no more calls and frees the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(WSGIRequestHandler):
    timeout = _SILENCE_SECONDS
    error_message_format = "%(code)d\n"
    error_content_type = "text/plain"

    def parse_request(self) -> bool:
        """Notes that the request has come: nobody else's connection ends this one now."""
        is_request: bool = super().parse_request()
        if is_request:
            self.server.note_asked()  # type: ignore[attr-defined] # the one below
        return is_request

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers with the status alone: the library's message repeats the request."""
        del message, explain
        super().send_error(code)

    def get_environ(self) -> dict[str, Any]:
        """Adds whether the caller showed a certificate, or is on the machine, where none is asked."""
        connection = self.connection
        is_known = not isinstance(connection, ssl.SSLSocket) or bool(connection.getpeercert(binary_form=True))
        return {**super().get_environ(), _IS_KNOWN: is_known}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Says nothing: a request line is a caller's words."""

    def address_string(self) -> str:
        """Asks no name server."""
        return str(self.client_address[0])


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    # Connections that wait to be taken: with the library's five, a flood has others wait for seconds.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], tls: ReloadedTls[ssl.SSLContext] | None) -> None:
        self._tls = tls
        self._looked_seconds = time.monotonic()
        self._places: Places[socket.socket] = Places()
        self._place_of: dict[socket.socket, Place[socket.socket]] = {}
        self._serves = threading.local()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Binds, and asks no name server for the host's name as the library would."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment] # as its own
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread where there is a place for the caller; one that says nothing may end for it.

        So callers that say nothing never keep a scrape out, which takes milliseconds, nor a probe.
        """
        end_seconds = time.monotonic() + _WHOLE_SECONDS
        with self._lock:
            place, ended = self._places.enter(request, client_address[0], end_seconds)
            if place is not None:
                self._place_of[request] = place
            if ended is not None:
                _end(ended.connection)
        if place is None:
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # The process has no thread left, now. Its connection is closed by the library.
            del self._place_of[request]
            with self._lock:
                self._places.leave(place)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves one connection and gives its place back."""
        served = request
        place = self._serves.place = self._place_of.pop(request)
        try:
            request.settimeout(_SILENCE_SECONDS)
            if self._tls is not None:
                served = self._tls.context.wrap_socket(request.dup(), server_side=True)
            super().process_request_thread(served, client_address)
        except OSError:
            pass  # no handshake
        finally:
            self.shutdown_request(request)
            with self._lock:
                self._places.leave(place)

    def note_asked(self) -> None:
        """Notes that the request has come that this thread serves."""
        self._serves.place.has_asked = True

    def service_actions(self) -> None:
        """Ends, every half second, the connections whose time is over, however busy they look.

        Now and then it looks whether the TLS files changed.
        """
        now_seconds = time.monotonic()
        if self._tls is not None and now_seconds >= self._looked_seconds + _RELOAD_SECONDS:
            self._looked_seconds = now_seconds
            self._tls.check()
        with self._lock:
            for place in self._places.overdue(now_seconds):
                _end(place.connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a silent or lost caller is no error of ours, and the library would print a trace."""


def _tls(listen: MetricsListen) -> ReloadedTls[ssl.SSLContext] | None:
    if listen.tls is None:
        return None
    files = (listen.tls.certificate_file, listen.tls.private_key_file, listen.tls.ca_file)
    return ReloadedTls("metrics_listen", files, partial(listen.ssl_context, listen.tls))


def _end(request: socket.socket) -> None:
    # Its thread notices, and closes it.
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


def _application(metrics: Callable[..., Any], probes: Probes) -> Callable[..., Iterable[bytes]]:
    """Returns what answers: metrics to those who are known, and a word about the process to everybody."""

    def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"] if environ["REQUEST_METHOD"] in {"GET", "HEAD"} else ""
        if path == PATH and environ[_IS_KNOWN]:
            return metrics(environ, start)  # type: ignore[no-any-return] # the library has no types here
        status, words = _SAID[path](probes) if path in _SAID else _NOWHERE
        start(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{words}\n".encode()]

    return application


def _alive(probes: Probes) -> tuple[str, str]:
    return (_OK, "alive") if probes.is_alive() else (_UNAVAILABLE, "the process does not turn")


def _ready(probes: Probes) -> tuple[str, str]:
    status, words = _alive(probes)
    reason = probes.why_unready()
    return (
        (_UNAVAILABLE, reason) if status == _OK and reason else (status, "ready" if status == _OK else words)
    )


def _unknown(probes: Probes) -> tuple[str, str]:
    del probes
    return "403 Forbidden", "Metrics are for callers that show a certificate."


_OK: Final = "200 OK"
_UNAVAILABLE: Final = "503 Service Unavailable"
_NOWHERE: Final = ("404 Not Found", f"GET {PATH}, {LIVE_PATH} and {READY_PATH} are served here.")
_SAID: Final[Mapping[str, Callable[[Probes], tuple[str, str]]]] = {
    PATH: _unknown,
    LIVE_PATH: _alive,
    READY_PATH: _ready,
}
