"""What the console needs of the world; each question raises SourceAwayError where it gets no answer."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.console.domain.capacity import Fleet
from services.console.domain.completeness import Stored
from services.console.domain.health import Health
from services.console.domain.latency import Latencies
from services.console.domain.load import Loads
from services.console.domain.spans import Span
from services.console.domain.tenants import Tenants
from services.console.domain.trial import Trial


class Processes(Protocol):
    """The processes of the deployment."""

    async def health(self) -> Health:
        """Returns what each says; one that is silent is said so."""
        ...


class Router(Protocol):
    """A router's admin service."""

    async def fleet(self) -> Fleet:
        """Returns the replicas, and what holds batch back."""
        ...

    async def tenants(self) -> Tenants:
        """Returns the tenants with what they used."""
        ...


class Store(Protocol):
    """The store, as analysts read it."""

    async def latencies(self, span: Span) -> Latencies:
        """Returns how fast models answered."""
        ...

    async def loads(self, span: Span) -> Loads:
        """Returns how busy engines were."""
        ...

    async def stored(self) -> Stored:
        """Returns whether all is there, and nothing for too long."""
        ...


@dataclass(frozen=True, slots=True)
class Answering:
    """An answer of the edge as it comes: its status, its type, and its bytes."""

    status: int
    content_type: str
    parts: AsyncIterator[bytes]


class Edge(Protocol):
    """The edge, asked as its clients ask it."""

    def answer(self, trial: Trial, api_key: str) -> AbstractAsyncContextManager[Answering]:
        """Returns the answer; to leave it ends the request."""
        ...
