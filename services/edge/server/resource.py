"""What the router of requests knows of an endpoint: its paths, their methods, and what answers."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from services.edge.domain.openai.operation import Operation
from services.edge.server.http.exchange import Exchange

Serve: TypeAlias = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Resource:
    """One path, the method that it takes and its description; a path may hold a `{name:path}`."""

    method: str
    path: str
    serve: Serve
    operation: Operation

    @property
    def methods(self) -> tuple[str, ...]:
        """What may be sent to the path."""
        return ("GET", "HEAD", "OPTIONS") if self.method == "GET" else (self.method, "OPTIONS")


class HttpEndpoint(Protocol):
    """An endpoint, in a file of its own."""

    @property
    def resources(self) -> Sequence[Resource]:
        """All that it serves."""
        ...
