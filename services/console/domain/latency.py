"""How fast models answered: of the whole span, and step by step."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.console.domain.charts import Chart, busiest, chart


@dataclass(frozen=True, slots=True)
class Latency:
    """Of requests that ended by themselves; None where none had it, as vectors have no first token."""

    model: str
    requests: int
    output_tokens: int
    ttft_p50_seconds: float | None
    ttft_p95_seconds: float | None
    tps_p50: float | None
    tps_p95: float | None
    # The beginning of the step; 0 for the whole span.
    at_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of a span: a row per model, and one per model and step."""

    models: tuple[Latency, ...]
    steps: tuple[Latency, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The models, the busiest first."""
        return busiest({each.model: each.requests for each in self.models})

    @property
    def rows(self) -> tuple[Latency, ...]:
        """A row per model, the busiest first."""
        by_name = {each.model: each for each in self.models}
        return tuple(by_name[name] for name in self.names)

    def ttft(self, times: Sequence[int]) -> Chart:
        """Returns the time to the first token over time."""
        picks = {"p50": lambda one: one.ttft_p50_seconds, "p95": lambda one: one.ttft_p95_seconds}
        return chart("s", times, self.names, self.steps, picks)

    def tps(self, times: Sequence[int]) -> Chart:
        """Returns output tokens per second and request over time."""
        picks = {"p50": lambda one: one.tps_p50, "p95": lambda one: one.tps_p95}
        return chart("tokens/s", times, self.names, self.steps, picks)
