"""The addresses behind a host's name, as the machine's resolver tells them."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from services.runtime.addresses import split_address

# Returns `address:port` of each host behind `host:port`; raises OSError where none is told.
LookUp: TypeAlias = Callable[[str], Awaitable[tuple[str, ...]]]

_LOOK_UP_SECONDS: Final = 5.0


async def look_up(address: str) -> tuple[str, ...]:
    """Returns `address:port` of each host behind `host:port`, in their order; OSError where none is told.

    They are of one family, the one that the resolver names first: a host with an address of each is one host.
    """
    host, port = split_address(address)
    loop = asyncio.get_running_loop()
    told: asyncio.Future[tuple[str, ...]] = loop.create_future()

    def tell(addresses: tuple[str, ...] | OSError) -> None:
        if not told.done():
            told.set_result(addresses) if isinstance(addresses, tuple) else told.set_exception(addresses)

    def ask() -> None:
        # The loop may be closed by then.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, _ask(host, port))

    # No executor, for whose threads a process waits at its end: a resolver may take half a minute.
    threading.Thread(target=ask, name="look-up", daemon=True).start()
    async with asyncio.timeout(_LOOK_UP_SECONDS):
        return await told


def _ask(host: str, port: int) -> tuple[str, ...] | OSError:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    except UnicodeError:
        return OSError("no such name")
    family = found[0][0]
    hosts = {str(socket_address[0]) for one, _, _, _, socket_address in found if one == family}
    return tuple(sorted(f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in hosts))
