"""One measurement of one target, as the JSON file keeps it, and what follows from its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.beside.figures import quantile
from tests.bench.beside.loader import APART, Measured
from tests.bench.engines.figures import EngineRun
from tests.bench.placement.contest import Figures
from tests.bench.placement.replicas import Run

# Cores that other programs used meanwhile, above which a round is marked.
MOST_FOREIGN_CORES = 0.3


@dataclass(frozen=True, slots=True)
class Measurement:
    """One window of one target; `part` is the model's name, or what is measured with a simulated engine."""

    part: str
    target: str
    round: int
    streams: int
    seconds: float
    output_tokens: float
    requests: int
    failures: dict[str, int]
    ttft_p50_seconds: float | None
    ttft_p95_seconds: float | None
    answer_p50_seconds: float | None
    answer_p95_seconds: float | None
    cpu_window_seconds: float
    cpu_seconds: dict[str, float]
    foreign_cores: float

    @property
    def tokens_per_second(self) -> float:
        """Output tokens per second."""
        return self.output_tokens / self.seconds

    @property
    def requests_per_second(self) -> float:
        """Whole answers per second."""
        return self.requests / self.seconds

    @property
    def errors(self) -> int:
        """Requests that had no whole answer."""
        return sum(self.failures.values())

    @property
    def roles(self) -> list[str]:
        """The processes that are part of the target."""
        return [role for role in self.cpu_seconds if role not in APART]

    @property
    def is_disturbed(self) -> bool:
        """True where other programs used too much of the machine meanwhile."""
        return self.foreign_cores > MOST_FOREIGN_CORES

    def cores(self, *roles: str) -> float:
        """CPU seconds per second of some processes."""
        return sum(self.cpu_seconds.get(role, 0.0) for role in roles) / self.cpu_window_seconds

    def cpu_per_token_seconds(self, *roles: str) -> float | None:
        """CPU of some processes, of all that are part of the target where none is named, per output token."""
        rate = self.tokens_per_second
        return self.cores(*(roles or self.roles)) / rate if rate else None

    def cpu_per_request_seconds(self, *roles: str) -> float | None:
        """The same per whole answer."""
        rate = self.requests_per_second
        return self.cores(*(roles or self.roles)) / rate if rate else None


def measurement(part: str, target: str, number: int, streams: int, measured: Measured) -> Measurement:
    """Puts a window's numbers together."""
    seen, usage = measured.seen, measured.usage
    return Measurement(
        part=part,
        target=target,
        round=number,
        streams=streams,
        seconds=seen.seconds,
        output_tokens=seen.output_tokens,
        requests=seen.requests,
        failures=seen.failures,
        ttft_p50_seconds=quantile(seen.ttft_seconds, 0.5),
        ttft_p95_seconds=quantile(seen.ttft_seconds, 0.95),
        answer_p50_seconds=quantile(seen.answer_seconds, 0.5),
        answer_p95_seconds=quantile(seen.answer_seconds, 0.95),
        cpu_window_seconds=usage.seconds,
        cpu_seconds=usage.cpu_seconds,
        foreign_cores=usage.foreign_cores,
    )


@dataclass(frozen=True, slots=True)
class IdleStreams:
    """Memory with and without idle streams, or connections without a request; bytes by process."""

    streams: int
    bytes_before: dict[str, int]
    bytes_with: dict[str, int]
    kind: str = "stream"

    def bytes_per_stream(self, process: str) -> float:
        """What one stream holds in a process."""
        return (self.bytes_with[process] - self.bytes_before[process]) / self.streams


@dataclass(frozen=True, slots=True)
class LongSteps:
    """One body of worst-case cost: its status, and the longest step that it took in the loop of each process.

    `wait_seconds` is how long another client, which asks for the edge's health, waited at most meanwhile.
    """

    body: str
    content_bytes: int
    status: int
    seconds: dict[str, float]
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Admissions:
    """A window of durable admissions, asked for in one way: at a rate per second, or so many in flight (0).

    Their waits are from the moment that each was due until there was a ticket, and until it was durable.
    """

    way: str
    rate: float
    in_flight: int
    round: int
    durable: int
    failures: dict[str, int]
    ticket_p50_seconds: float
    ticket_p99_seconds: float
    p50_seconds: float
    p99_seconds: float
    window_seconds: float
    cpu_seconds: dict[str, float]

    @property
    def per_second(self) -> float:
        """Durable admissions per second."""
        return self.durable / self.window_seconds

    @property
    def per_router_core(self) -> float:
        """Durable admissions per second of the router's CPU."""
        return self.durable / self.cpu_seconds["router"]

    def cpu_per_admission_seconds(self, process: str) -> float:
        """CPU of one process per durable admission."""
        return self.cpu_seconds.get(process, 0.0) / self.durable


@dataclass(slots=True)
class Results:
    """Everything that a run has measured so far."""

    machine: dict[str, Any]
    versions: dict[str, str]
    options: dict[str, Any]
    dtypes: dict[str, str] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    idle_streams: list[IdleStreams] = field(default_factory=list)
    long_steps: list[LongSteps] = field(default_factory=list)
    admissions: list[Admissions] = field(default_factory=list)
    placement: list[Figures] = field(default_factory=list)
    replicas: list[Run] = field(default_factory=list)
    engines: list[EngineRun] = field(default_factory=list)

    def of_part(self, part: str) -> list[Measurement]:
        """The measurements of one part."""
        return [entry for entry in self.measurements if entry.part == part]


def targets_of(measurements: Sequence[Measurement]) -> list[str]:
    """Returns the names of the targets, in the order of their first measurement."""
    return list(dict.fromkeys(entry.target for entry in measurements))


def streams_of(measurements: Sequence[Measurement]) -> list[int]:
    """Returns the numbers of streams, ascending."""
    return sorted({entry.streams for entry in measurements})
