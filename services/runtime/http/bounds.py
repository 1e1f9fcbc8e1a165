"""What a connection may take, and what it is refused for below the application."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class HttpBounds:
    """Sizes in bytes and waits in seconds."""

    # Request line and header fields of one request, as they come.
    max_head_bytes: int
    max_connections: int
    # From the first byte of a request, or from the connection's start, to the end of its headers.
    head_seconds: float
    # From an answer to the first byte of the next request.
    idle_seconds: float
    drain_seconds: float
    # For a client that takes in nothing of an answer that is written.
    write_seconds: float = 60.0
    max_header_fields: int = 128


class Refusal(Enum):
    """Why the server answers by itself, without the application."""

    MALFORMED = auto()
    HEAD_TOO_LARGE = auto()
    VERSION_UNSUPPORTED = auto()
    BODY_WASTEFUL = auto()
    TOO_MANY_CONNECTIONS = auto()
    CRASHED = auto()


@dataclass(frozen=True, slots=True)
class RefusalAnswer:
    """How a refusal looks to the client."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


Refuse = Callable[[Refusal], RefusalAnswer]


class RefusedError(Exception):
    """What came is no request that is served; nothing of it is in this error."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal
