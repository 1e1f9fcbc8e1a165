"""Counts what became of the tries of requests to leave a replica that says nothing."""

from services.edge.domain.hedging import HedgeOutcome
from services.runtime.metrics.registry import edge as metrics
from services.runtime.telemetry import counter


class HedgeCounter:
    """Takes each outcome."""

    def __init__(self) -> None:
        self._hedges = counter(metrics.HEDGES)

    def count(self, outcome: HedgeOutcome) -> None:
        """Counts one."""
        self._hedges.add(1, {"outcome": outcome.value})
