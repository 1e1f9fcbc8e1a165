"""What waits in the spool, as metrics."""

from services.emitter.domain.ports import Spool
from services.kernel.clock import Clock
from services.runtime.telemetry import gauge


def watch(spool: Spool, clock: Clock) -> None:
    """Reports events, bytes and the oldest event's age at every collection."""
    gauge(
        "comptoir.spool.events",
        unit="{event}",
        description="Events that wait for Kafka.",
        read=lambda: spool.state.events,
    )
    gauge(
        "comptoir.spool.size",
        unit="By",
        description="Bytes that wait for Kafka.",
        read=lambda: spool.state.size_bytes,
    )
    gauge(
        "comptoir.spool.oldest_age",
        unit="s",
        description="Age of the oldest event that waits for Kafka.",
        read=lambda: spool.state.age_seconds(clock.wall_microseconds()),
    )
