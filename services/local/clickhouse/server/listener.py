"""The listening socket and uvicorn behind it."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

_SILENT = 100
_BACKLOG = 256
_KEEP_ALIVE_SECONDS = 30


class AddressTakenError(Exception):
    """Somebody else listens on the address."""


class Listener:
    """Serves an application on one address until it is told to drain."""

    def __init__(self, application: ASGIApp, host: str, port: int, *, drain_seconds: float) -> None:
        self._socket = _bind(host, port)
        self._server = _Server(
            uvicorn.Config(
                application,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level=_SILENT,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(drain_seconds)),
            )
        )

    async def serve(self, stopped: asyncio.Event) -> None:
        """Answers requests until `stopped`, then ends those that run, within the drain time."""
        serving = asyncio.ensure_future(self._server.serve(sockets=[self._socket]))
        waiting = asyncio.ensure_future(stopped.wait())
        await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self._server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process decides when to drain."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise AddressTakenError from None
    bound.listen(_BACKLOG)
    bound.setblocking(False)
    return bound
