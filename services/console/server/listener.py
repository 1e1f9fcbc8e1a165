"""The console's address, its certificate, and what is refused below the application."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from services.console.server.application import HEADERS
from services.console.settings import ConsoleListen
from services.kernel.clock import Clock
from services.runtime.http.asgi import Application
from services.runtime.http.bounds import HttpBounds, Refusal, RefusalAnswer
from services.runtime.http.server import AddressTakenError, HttpServer, bind
from services.runtime.logs import get_logger
from services.runtime.reloaded_tls import ReloadedTls
from services.runtime.settings import SettingsError

_log = get_logger(__name__)
_MOST_HEAD_BYTES: Final = 16 * 1024
_RELOAD_SECONDS: Final = 10.0
_STATUS: Final = {
    Refusal.MALFORMED: 400,
    Refusal.HEAD_TOO_LARGE: 431,
    Refusal.VERSION_UNSUPPORTED: 505,
    Refusal.BODY_WASTEFUL: 400,
    Refusal.TOO_MANY_CONNECTIONS: 503,
    Refusal.CRASHED: 500,
}


class Listener:
    """Accepts connections from `start` until `stop`; SettingsError where its TLS files cannot be read."""

    def __init__(
        self, listen: ConsoleListen, application: Application, *, max_connections: int, clock: Clock
    ) -> None:
        self._listen = listen
        self._context = None
        if (tls := listen.tls) is not None:
            self._reloaded = reloaded = ReloadedTls("console.listen", tls.files, tls.ssl_context)
            self._context = tls.ssl_context()

            def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _old: object) -> None:
                connection.context = reloaded.context

            self._context.sni_callback = choose
        bounds = HttpBounds(
            max_head_bytes=_MOST_HEAD_BYTES,
            max_connections=max_connections,
            head_seconds=10.0,
            idle_seconds=60.0,
            drain_seconds=2.0,
        )
        self._server = HttpServer(application, bounds, _refusal, clock)
        self.port = 0

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
        await self._server.start(bound, self._context)
        _log.info("listening", port=self.port)

    async def watch(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Looks now and then whether the certificate was renewed, for as long as it runs."""
        while True:
            await sleep(_RELOAD_SECONDS)
            if self._context is not None:
                await asyncio.to_thread(self._reloaded.check)

    async def stop(self) -> None:
        """Accepts nothing more, lets open answers end within seconds, then ends them."""
        await self._server.stop()


def _refusal(refusal: Refusal) -> RefusalAnswer:
    return RefusalAnswer(_STATUS[refusal], ((b"content-type", b"text/plain"), *HEADERS), b"Refused.\n")
