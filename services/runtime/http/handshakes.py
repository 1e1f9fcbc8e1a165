"""Connections of TLS from their first packet on: each counts before its handshake has ended."""

import asyncio
import socket
import ssl
from typing import Final

from services.runtime.http.bounds import Refusal
from services.runtime.http.connection import Connection
from services.runtime.http.registry import Registry
from services.runtime.logs import get_logger

_log = get_logger(__name__)
# Where the process has no descriptor left, as event loops wait themselves.
_PAUSE_SECONDS: Final = 1.0
# Each is a tenth of a millisecond; to wait for one takes a turn of the loop, which is long where the loop
# is busy, and clients that lost their connection come back together.
_ACCEPTED_AT_ONCE: Final = 16


class TlsAcceptor:
    """Accepts connections on a bound socket, and begins the handshake of each, until it is closed.

    An event loop that does both itself says nothing of a connection before its handshake has ended: those
    who begin none were as many as the process has descriptors for.
    """

    def __init__(
        self, bound: socket.socket, tls: ssl.SSLContext, registry: Registry, *, backlog: int
    ) -> None:
        self._bound = bound
        self._tls = tls
        self._registry = registry
        bound.listen(backlog)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    def close(self) -> None:
        """Accepts nothing more."""
        self._accepting.cancel()
        self._bound.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._bound)
            except ConnectionAbortedError:
                # Its client left in the queue; the next one is there.
                continue
            except OSError as error:
                # The process has no descriptor left, or the machine no memory.
                _log.warning("accept_failed", error_type=type(error).__name__)
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                Handshake(accepted, self._tls, self._registry)
                self._accept_more()

    def _accept_more(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE - 1):
            try:
                accepted, _ = self._bound.accept()
            except OSError:
                # None is there; whatever else it is, the next wait finds it.
                return
            accepted.setblocking(False)
            Handshake(accepted, self._tls, self._registry)


class Handshake:
    """A connection whose handshake has not ended, among the members of a registry."""

    def __init__(self, accepted: socket.socket, tls: ssl.SSLContext, registry: Registry) -> None:
        self._accepted = accepted
        self._tls = tls
        self._registry = registry
        self._has_begun = False
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._over)
        registry.opened(self)

    def close(self) -> None:
        """Ends it."""
        self._task.cancel()

    def drain(self) -> None:
        """Ends it: it has no request."""
        self._task.cancel()

    def abort(self) -> None:
        """Ends it."""
        self._task.cancel()

    def refuse(self, refusal: Refusal) -> None:
        """Ends it without a word: there is no way yet to say one."""
        del refusal
        self._task.cancel()

    def ended(self) -> None:
        """Takes note that the connection stands, and counts by itself from now on."""
        self._registry.closed(self)

    def _over(self, _task: "asyncio.Task[None]") -> None:
        # Not in the task itself: one that is cancelled before its first step runs none of its lines.
        self.ended()
        if not self._has_begun:
            self._accepted.close()

    async def _run(self) -> None:
        self._has_begun = True
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: _Handshaken(self._registry, self),
                self._accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self._registry.bounds.head_seconds,
            )
        except OSError:
            # What came was no handshake that succeeds, or too slow; the loop has closed the connection.
            return


class _Handshaken(Connection):
    def __init__(self, registry: Registry, handshake: Handshake) -> None:
        super().__init__(registry)
        self._handshake = handshake

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # a stream's
        self._handshake.ended()
        super().connection_made(transport)
