"""Makes what becomes of leases a metric, so that completeness is proved and not assumed."""

from collections.abc import Callable

from services.router.adapters.local_share_leases import LocalShareLeases
from services.router.domain.lease import Transition
from services.runtime.metrics.registry import router as metrics
from services.runtime.telemetry import counter, gauge, read_counter


def show_away(read: Callable[[], float]) -> None:
    """Shows for how long the lease store has been away."""
    gauge(metrics.LEASE_STORE_AWAY, read=read)


def metered(store: LocalShareLeases) -> LocalShareLeases:
    """Returns the store; how long what it shares is away, and what it lends meanwhile, are metrics."""
    show_away(lambda: store.away_seconds)
    gauge(metrics.LEASES_UNTOLD, read=lambda: store.untold)
    read_counter(metrics.LEASES_LENT_HERE, read=lambda: store.lent_here)
    return store


class MeteredLeases:
    """The metric `comptoir.router.leases`, by transition."""

    def __init__(self) -> None:
        self._transitions = counter(metrics.LEASES)

    def count(self, transition: Transition) -> None:
        """Counts one transition."""
        self._transitions.add(1, {"transition": transition.value})
