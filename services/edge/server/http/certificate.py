"""The listener's certificate, read again when its files change: whoever renews it needs no restart."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias

from services.edge.settings import HttpTls
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError
from services.runtime.telemetry import gauge

_log = get_logger(__name__)
# Which file a path leads to, and when it was written; None where there is none.
_FileState: TypeAlias = tuple[int, int, int, int] | None


class Certificate:
    """A TLS context whose handshakes use what its files held when they were last usable.

    A connection keeps what its handshake used. SettingsError where the files cannot be used at the start.
    """

    def __init__(self, tls: HttpTls) -> None:
        self._tls = tls
        self._used = _states(tls)
        self._current = tls.ssl_context()
        # The one that connections begin with. A context that is loaded anew would be half changed where the
        # key does not fit, so that each handshake is given a whole one.
        self.context: Final = tls.ssl_context()
        self.context.sni_callback = self._choose
        self._refused: tuple[_FileState, ...] | None = None
        # Whether the files have changed and cannot be used: what they held before is served until it expires.
        self.is_outdated = False
        gauge(
            "comptoir.edge.certificate_outdated",
            unit="1",
            description="1 while the files of the listener's certificate changed and cannot be used.",
            read=lambda: float(self.is_outdated),
        )

    async def watch(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Looks at the files every `reload_seconds`, for as long as it runs."""
        while True:
            await sleep(self._tls.reload_seconds)
            await self.check()

    async def check(self) -> None:
        """Loads the files if they changed; what cannot be used is said once, and what was before stays."""
        # Apart from the loop: the files may be on a slow disk.
        states = await asyncio.to_thread(_states, self._tls)
        if states == self._used:
            self.is_outdated = False
            return
        try:
            self._current = await asyncio.to_thread(self._tls.ssl_context)
        except SettingsError:
            # The two files are not written at one moment: what is the same at the next look is no transition.
            if states == self._refused and not self.is_outdated:
                self.is_outdated = True
                _log.error("certificate_unusable")
            self._refused = states
            return
        self._used, self.is_outdated = states, False
        _log.info("certificate_reloaded")

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: object) -> None:
        connection.context = self._current


def _states(tls: HttpTls) -> tuple[_FileState, ...]:
    return tuple(map(_state, (tls.certificate_file, tls.private_key_file)))


def _state(path: Path) -> _FileState:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
