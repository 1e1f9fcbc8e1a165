"""The pipeline's numbers as OpenTelemetry instruments."""

from collections.abc import Callable, Mapping

from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.ports import StoreCheck
from services.contract.events import Kind
from services.kernel.clock import Clock
from services.runtime import telemetry
from services.runtime.metrics.registry import usage as metrics


class OtelMeter:
    """Frames read from the log = frames inserted + dead letters; what is not read yet is the lag."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._frames = telemetry.counter(metrics.INSERTED_FRAMES)
        self._rows = telemetry.counter(metrics.INSERTED_ROWS)
        self._duration = telemetry.histogram(metrics.INSERT_DURATION)
        self._letters = telemetry.counter(metrics.DEAD_LETTERS)
        self._lost = telemetry.counter(metrics.LOST_FRAMES)
        self._lag_frames, self._lag_seconds, self._paused = 0, 0.0, 0
        telemetry.gauge(metrics.LAG, read=lambda: self._lag_frames)
        telemetry.gauge(metrics.LAG_AGE, read=lambda: self._lag_seconds)
        telemetry.gauge(metrics.PAUSED_PARTITIONS, read=lambda: self._paused)

        self._check: StoreCheck | None = None
        self._checked_seconds = clock.monotonic_seconds()
        telemetry.gauges(metrics.MISSING_EVENTS, lambda: self._of_store(lambda it: it.missing_events))
        telemetry.gauges(metrics.DOUBLE_EVENTS, lambda: self._of_store(lambda it: it.double_events))
        telemetry.gauges(metrics.RETENTION_OVERDUE, lambda: self._of_store(lambda it: it.overdue_seconds))
        telemetry.gauges(metrics.UNENDED_REQUESTS, self._unended)
        telemetry.gauge(
            metrics.STORE_CHECK_AGE, read=lambda: clock.monotonic_seconds() - self._checked_seconds
        )

    def checked(self, check: StoreCheck) -> None:
        """Sets what the store holds."""
        self._check, self._checked_seconds = check, self._clock.monotonic_seconds()

    def _of_store(self, read: Callable[[StoreCheck], Mapping[Kind, float]]) -> telemetry.Observations:
        # Nothing before the first look: 0 would say that all is well.
        check = self._check
        return [] if check is None else [(value, {"kind": kind.label}) for kind, value in read(check).items()]

    def _unended(self) -> telemetry.Observations:
        return [] if self._check is None else [(self._check.unended_requests, {})]

    def inserted(self, kind: Kind, rows: int, seconds: float) -> None:
        """Counts a frame that is in the store."""
        attributes = {"kind": kind.name.lower()}
        self._frames.add(1, attributes)
        self._rows.add(rows, attributes)
        self._duration.record(seconds, attributes)

    def dead_lettered(self, fault: Fault) -> None:
        """Counts a frame that went to the dead letters."""
        self._letters.add(1, {"reason": fault.name.lower()})

    def lagging(self, frames: int, seconds: float) -> None:
        """Sets how many frames wait in the log, and the oldest of them for how long."""
        self._lag_frames, self._lag_seconds = frames, seconds

    def paused(self, partitions: int) -> None:
        """Sets how many partitions are paused."""
        self._paused = partitions

    def lost(self, frames: int) -> None:
        """Counts frames that the log dropped before they were read."""
        self._lost.add(frames)
