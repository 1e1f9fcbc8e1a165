"""Serves an ASGI application over HTTP/1.1 on one address, until it is told to drain."""

import asyncio
import resource
import socket
import ssl
from dataclasses import replace
from typing import Final

from services.kernel.clock import Clock
from services.runtime.http.asgi import Application
from services.runtime.http.bounds import HttpBounds, Refuse
from services.runtime.http.connection import Connection
from services.runtime.http.handshakes import TlsAcceptor
from services.runtime.http.registry import Registry

_BACKLOG: Final = 2048
# Files and connections to others that a process has open beside those to its clients.
_OTHER_DESCRIPTORS: Final = 512
# For the answers that the drain's bound ends: time to say so.
_LAST_WORDS_SECONDS: Final = 1.0


class AddressTakenError(Exception):
    """Another process listens on the address."""


def bind(host: str, port: int) -> socket.socket:
    """Returns a socket on the address, not yet accepting; port 0 takes any that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise AddressTakenError from None
    bound.setblocking(False)
    return bound


class HttpServer:
    """Accepts connections from `start` until `stop`; create it inside the running loop."""

    def __init__(self, application: Application, bounds: HttpBounds, refuse: Refuse, clock: Clock) -> None:
        bounds = replace(bounds, max_connections=_room_for(bounds.max_connections))
        self._registry = Registry(application, bounds, refuse, clock)
        self._server: asyncio.Server | TlsAcceptor | None = None

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._registry.connections

    async def start(self, bound: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Accepts connections on a socket of `bind`."""
        if tls is not None:
            self._server = TlsAcceptor(bound, tls, self._registry, backlog=_BACKLOG)
            return
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._registry), sock=bound, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Accepts nothing more, lets open answers end within the drain's bound, then ends them."""
        if self._server is not None:
            self._server.close()
        await self._registry.drain(
            within_seconds=self._registry.bounds.drain_seconds, last_words_seconds=_LAST_WORDS_SECONDS
        )


def _room_for(connections: int) -> int:
    """Returns how many connections there are descriptors for; raises the limit as far as the process may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_DESCRIPTORS
    if soft in range(wanted):
        soft = wanted if hard not in range(wanted) else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft not in range(wanted) else max(1, soft - _OTHER_DESCRIPTORS)
