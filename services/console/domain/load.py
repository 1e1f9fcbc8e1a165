"""How busy engines were over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.console.domain.charts import Chart, busiest, chart


@dataclass(frozen=True, slots=True)
class Load:
    """All replicas of a model in one step: the most that waited, what ran on average, the fullest cache."""

    model: str
    at_seconds: int
    running_requests: float
    waiting_requests: int
    kv_usage: float


@dataclass(frozen=True, slots=True)
class Loads:
    """Of a span, a row per model and step."""

    steps: tuple[Load, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The models, that with the most running first."""
        ran: dict[str, int] = {}
        for each in self.steps:
            ran[each.model] = ran.get(each.model, 0) + round(1000 * each.running_requests)
        return busiest(ran)

    def queue(self, times: Sequence[int]) -> Chart:
        """Returns running and waiting requests over time."""
        picks = {"running": lambda one: one.running_requests, "waiting": lambda one: one.waiting_requests}
        return chart("requests", times, self.names, self.steps, picks)

    def kv(self, times: Sequence[int]) -> Chart:
        """Returns the share of the KV cache in use over time."""
        return chart("share", times, self.names, self.steps, {"": lambda one: one.kv_usage})
