"""Makes what becomes of leases a metric, so that completeness is proved and not assumed."""

from services.router.adapters.local_share_leases import LocalShareLeases
from services.router.domain.lease import Transition
from services.runtime.telemetry import counter, gauge, read_counter


def metered(store: LocalShareLeases) -> LocalShareLeases:
    """Returns the store; how long what it shares is away, and what it lends meanwhile, are metrics."""
    gauge(
        "comptoir.router.lease_store_away",
        unit="s",
        description="For how long the shared lease store has been away, or has not heard all.",
        read=lambda: store.away_seconds,
    )
    gauge(
        "comptoir.router.leases_untold",
        unit="{lease}",
        description="Leases of this router's share of which the lease store is to be told.",
        read=lambda: store.untold,
    )
    read_counter(
        "comptoir.router.leases_lent_here",
        unit="{lease}",
        description="Leases that were lent of this router's share.",
        read=lambda: store.lent_here,
    )
    return store


class MeteredLeases:
    """The metric `comptoir.router.leases`, by transition."""

    def __init__(self) -> None:
        self._transitions = counter(
            "comptoir.router.leases", unit="{lease}", description="Transitions of quota leases."
        )

    def count(self, transition: Transition) -> None:
        """Counts one transition."""
        self._transitions.add(1, {"transition": transition.value})
