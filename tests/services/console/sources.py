"""Sources for tests of the console: they say what they are told to, or fail, and are counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from services.console.domain.capacity import Fleet, Replica
from services.console.domain.completeness import Kind, Stored
from services.console.domain.errors import SourceAwayError
from services.console.domain.health import Health, Process, State
from services.console.domain.latency import Latencies, Latency
from services.console.domain.load import Load, Loads
from services.console.domain.ports import Answering
from services.console.domain.spans import Span
from services.console.domain.tenants import Tenant, Tenants
from services.console.domain.trial import Trial

MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
REPLICA = Replica(1, MARKUP, "eu-fr", "ready", 3, 1, 4, 16, 0.25, 0.2)


def _latency(model: str) -> Latency:
    return Latency(model, 30, 900, 0.12, 0.45, 80.0, 120.0)


@dataclass
class Sources:
    """Processes, router, store and edge at once; `away` fails every question with a sentence.

    What it says is what it is told to; as every source, it passes tests/contracts/console_ports.py.
    """

    away: str = ""
    processes: tuple[Process, ...] = (
        Process("edge", State.READY),
        Process("usage", State.UNREADY, "log away", 1.0),
    )
    replicas: tuple[Replica, ...] = (REPLICA,)
    known_tenants: tuple[Tenant, ...] = (Tenant(MARKUP, tokens_of_day=9, tokens_of_month=12_345),)
    models: tuple[Latency, ...] = (_latency(MARKUP),)
    steps: tuple[Load, ...] = (Load(MARKUP, 0, 1.0, 2, 0.5),)
    kinds: tuple[Kind, ...] = (Kind("generation", 30, 1, 0, 0, 0, 2, ""),)
    retention_days: int = 14
    asked: list[str] = field(default_factory=list)
    trials: list[tuple[Trial, str]] = field(default_factory=list)
    open_answers: int = 0
    status: int = 200
    parts: tuple[bytes, ...] = (b'data: {"choices": []}\n\n', b"data: [DONE]\n\n")

    def _ask(self, name: str) -> None:
        self.asked.append(name)
        if self.away:
            raise SourceAwayError(self.away)

    async def health(self) -> Health:
        # One that is silent is said so; to ask never fails.
        self.asked.append("health")
        silent = [Process(each.name, State.SILENT) for each in self.processes]
        return Health(tuple(silent) if self.away else self.processes)

    async def fleet(self) -> Fleet:
        self._ask("fleet")
        return Fleet(self.replicas)

    async def tenants(self) -> Tenants:
        self._ask("tenants")
        return Tenants(self.known_tenants, "EUR" if self.known_tenants else "")

    async def latencies(self, span: Span) -> Latencies:
        self._ask(f"latencies {span.key}")
        # All of it within one step, which begins when Unix time did.
        return Latencies(self.models, self.models)

    async def loads(self, span: Span) -> Loads:
        self._ask(f"loads {span.key}")
        return Loads(self.steps)

    async def stored(self) -> Stored:
        self._ask("stored")
        return Stored(self.kinds, self.retention_days)

    @asynccontextmanager
    async def answer(self, trial: Trial, api_key: str) -> AsyncIterator[Answering]:
        self._ask("answer")
        self.trials.append((trial, api_key))
        self.open_answers += 1
        kind = "text/event-stream" if self.status == HTTPStatus.OK else "application/json"
        try:
            yield Answering(self.status, kind, self._parts())
        finally:
            self.open_answers -= 1

    async def _parts(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part
