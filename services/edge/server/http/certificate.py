"""The listener's certificate, which is renewed while connections come and go."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from services.edge.settings import HttpTls
from services.runtime.metrics.registry import edge as metrics
from services.runtime.reloaded_tls import ReloadedTls
from services.runtime.telemetry import gauge


class Certificate:
    """A TLS context whose handshakes use what its files held when they were last usable.

    A connection keeps what its handshake used. SettingsError where the files cannot be used at the start.
    """

    def __init__(self, tls: HttpTls) -> None:
        self._reload_seconds = tls.reload_seconds
        files = (tls.certificate_file, tls.private_key_file)
        reloaded = self._reloaded = ReloadedTls("edge.listen", files, tls.ssl_context)
        # The one that connections begin with. A context that is loaded anew would be half changed where the
        # key does not fit, so that each handshake is given a whole one.
        self.context: Final = tls.ssl_context()
        self.context.sni_callback = self._choose
        gauge(metrics.CERTIFICATE_OUTDATED, read=lambda: float(reloaded.is_outdated))

    @property
    def is_outdated(self) -> bool:
        """Whether the files have changed and cannot be used."""
        return self._reloaded.is_outdated

    async def watch(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Looks at the files every `reload_seconds`, for as long as it runs."""
        while True:
            await sleep(self._reload_seconds)
            await self.check()

    async def check(self) -> None:
        """Reads the files if they changed, apart from the loop: they may be on a slow disk."""
        await asyncio.to_thread(self._reloaded.check)

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: object) -> None:
        connection.context = self._reloaded.context
