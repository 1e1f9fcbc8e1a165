"""Ports of 127.0.0.1 that no other test takes: neither one of this process nor one that runs beside it."""

import atexit
import functools
import random
import socket
from collections.abc import Iterator
from typing import Final

# As many as a stack of seven generators takes.
BLOCK: Final = 34
# Below the kernel's ephemeral range, from which every connection on its way out takes a port, whoever asks.
_FIRSTS: Final = range(18_400, 30_000, BLOCK)
# A name in the kernel is this process's until it ends, however it ends.
_HELD: Final[list[socket.socket]] = []


def free_port() -> int:
    """A port on which nobody listens."""
    return next(port for port in _single_ports() if _is_free(port))


def free_block() -> int:
    """The first of `BLOCK` neighbouring ports on which nobody listens."""
    for first in random.sample(_FIRSTS, len(_FIRSTS)):
        if _is_held(first) and are_free(first, BLOCK):
            return first
    raise AssertionError("no free ports")


def are_free(first: int, count: int) -> bool:
    """True if nobody listens on `count` ports from `first` on."""
    return all(_is_free(port) for port in range(first, first + count))


@functools.cache
def _single_ports() -> Iterator[int]:
    return (first + offset for first in iter(free_block, None) for offset in range(BLOCK))


def _is_held(first: int) -> bool:
    """True if the block is this process's from now on, and was nobody's."""
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0comptoir-tests-ports-{first}")
    except OSError:
        held.close()
        return False
    _HELD.append(held)
    return True


@atexit.register
def _let_go() -> None:
    """Closes them, as the interpreter warns of sockets that it has to close itself."""
    for held in _HELD:
        held.close()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
