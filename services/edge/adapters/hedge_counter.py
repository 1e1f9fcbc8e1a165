"""Counts what became of the tries of requests to leave a replica that says nothing."""

from services.edge.domain.hedging import HedgeOutcome
from services.runtime.telemetry import counter


class HedgeCounter:
    """Takes each outcome."""

    def __init__(self) -> None:
        self._hedges = counter(
            "comptoir.edge.first_token_hedges",
            unit="{try}",
            description="Tries of requests without a token to leave their replica, by outcome.",
        )

    def count(self, outcome: HedgeOutcome) -> None:
        """Counts one."""
        self._hedges.add(1, {"outcome": outcome.value})
