"""What waits in the spool, as metrics."""

from services.emitter.domain.ports import Spool
from services.kernel.clock import Clock
from services.runtime.metrics.registry import emitter as metrics
from services.runtime.telemetry import gauge


def watch(spool: Spool, clock: Clock) -> None:
    """Reports events, bytes and the oldest event's age at every collection."""
    gauge(metrics.EVENTS, read=lambda: spool.state.events)
    gauge(metrics.SIZE, read=lambda: spool.state.size_bytes)
    gauge(metrics.OLDEST_AGE, read=lambda: spool.state.age_seconds(clock.wall_microseconds()))
