"""Makes what becomes of leases a metric, so that completeness is proved and not assumed."""

from services.router.domain.lease import Transition
from services.runtime.telemetry import counter


class MeteredLeases:
    """The metric `comptoir.router.leases`, by transition."""

    def __init__(self) -> None:
        self._transitions = counter(
            "comptoir.router.leases", unit="{lease}", description="Transitions of quota leases."
        )

    def count(self, transition: Transition) -> None:
        """Counts one transition."""
        self._transitions.add(1, {"transition": transition.value})
