"""The front's address, and how what is refused below the application looks to a ClickHouse client."""

from deploy.local.clickhouse.domain.errors import (
    BAD_ARGUMENTS,
    NOT_IMPLEMENTED,
    TOO_LARGE_BODY,
    TOO_MANY_QUERIES,
    UNKNOWN_EXCEPTION,
    StoreError,
)
from deploy.local.clickhouse.domain.limits import FrontLimits
from services.kernel.clock import Clock
from services.runtime.http.asgi import Application
from services.runtime.http.bounds import HttpBounds, Refusal, RefusalAnswer
from services.runtime.http.server import AddressTakenError, HttpServer, bind
from services.runtime.settings_error import SettingsError


class Listener:
    """Accepts connections from `start` until `stop`."""

    def __init__(
        self, application: Application, host: str, port: int, *, bounds: FrontLimits, clock: Clock
    ) -> None:
        self._host, self._port = host, port
        self._bounds = bounds
        self._server = HttpServer(
            application,
            HttpBounds(
                max_head_bytes=bounds.max_head_bytes,
                max_connections=bounds.max_connections,
                head_seconds=bounds.head_seconds,
                idle_seconds=bounds.idle_connection_seconds,
                drain_seconds=bounds.drain_seconds,
                write_seconds=bounds.write_seconds,
            ),
            self._refusal,
            clock,
        )

    async def start(self) -> None:
        """Binds and accepts; SettingsError if the address is taken."""
        try:
            bound = bind(self._host, self._port)
        except AddressTakenError:
            raise SettingsError(
                f"the address {self._host}:{self._port} is taken; stop what listens there or set another."
            ) from None
        await self._server.start(bound)

    async def stop(self) -> None:
        """Accepts nothing more and ends the requests that run, within the drain time."""
        await self._server.stop()

    def _refusal(self, refusal: Refusal) -> RefusalAnswer:
        status, code, sentence = _refusals(self._bounds)[refusal]
        error = StoreError.refused(code, sentence)
        headers = (
            (b"content-type", b"text/plain; charset=UTF-8"),
            (b"x-clickhouse-exception-code", str(code).encode()),
        )
        return RefusalAnswer(status, headers, error.message.encode() + b"\n")


def _refusals(bounds: FrontLimits) -> dict[Refusal, tuple[int, int, str]]:
    return {
        Refusal.MALFORMED: (400, BAD_ARGUMENTS, "The request is not valid HTTP/1.1."),
        Refusal.HEAD_TOO_LARGE: (
            431,
            TOO_LARGE_BODY,
            f"URL and headers are larger than max_head_bytes = {bounds.max_head_bytes}; use the body.",
        ),
        Refusal.VERSION_UNSUPPORTED: (505, NOT_IMPLEMENTED, "Only HTTP/1.1 and HTTP/1.0 are served."),
        Refusal.BODY_WASTEFUL: (
            400,
            BAD_ARGUMENTS,
            "The chunks of the body cost more than they carry: too many small ones, or long trailers.",
        ),
        Refusal.TOO_MANY_CONNECTIONS: (
            503,
            TOO_MANY_QUERIES,
            f"max_connections = {bounds.max_connections} are open and none of them waits; try again.",
        ),
        Refusal.CRASHED: (500, UNKNOWN_EXCEPTION, "Internal error."),
    }
