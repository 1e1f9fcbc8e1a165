"""What waits in the spool and how much more can, as metrics."""

import shutil
from pathlib import Path

from services.emitter.domain.limits import SpoolFile
from services.emitter.domain.ports import Spool
from services.kernel.clock import Clock
from services.runtime.metrics.registry import emitter as metrics
from services.runtime.telemetry import Observations, gauge, gauges


def watch(spool: Spool, limits: SpoolFile, clock: Clock) -> None:
    """Reports events, bytes, the oldest event's age and what is free at every collection."""
    gauge(metrics.EVENTS, read=lambda: spool.state.events)
    gauge(metrics.SIZE, read=lambda: spool.state.size_bytes)
    gauge(metrics.OLDEST_AGE, read=lambda: spool.state.age_seconds(clock.wall_microseconds()))
    gauge(metrics.CAPACITY, read=lambda: limits.spool_max_bytes)
    gauges(metrics.DISK_FREE, lambda: _free(limits.spool_folder))


def _free(folder: Path) -> Observations:
    try:
        return [(shutil.disk_usage(folder).free, {})]
    except OSError:
        # Nobody knows: no value is better than one that was.
        return []
