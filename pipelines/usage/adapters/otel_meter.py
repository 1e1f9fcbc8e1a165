"""The pipeline's numbers as OpenTelemetry instruments."""

from pipelines.usage.domain.errors import Fault
from services.contract.events import Kind
from services.runtime import telemetry


class OtelMeter:
    """Frames read from the log = frames inserted + dead letters; what is not read yet is the lag."""

    def __init__(self) -> None:
        self._frames = telemetry.counter(
            "comptoir.usage.inserted_frames", unit="{frame}", description="Frames in the store"
        )
        self._rows = telemetry.counter(
            "comptoir.usage.inserted_rows", unit="{row}", description="Events in the store"
        )
        self._duration = telemetry.histogram(
            "comptoir.usage.insert_duration", unit="s", description="Time of one insert"
        )
        self._letters = telemetry.counter(
            "comptoir.usage.dead_letters", unit="{frame}", description="Frames that cannot be stored"
        )
        self._lost = telemetry.counter(
            "comptoir.usage.lost_frames", unit="{frame}", description="Frames that the log dropped unread"
        )
        self._lag_frames, self._lag_seconds, self._paused = 0, 0.0, 0
        telemetry.gauge(
            "comptoir.usage.lag",
            unit="{frame}",
            description="Frames that wait in the log",
            read=lambda: self._lag_frames,
        )
        telemetry.gauge(
            "comptoir.usage.lag_age",
            unit="s",
            description="Age of the oldest frame that waits in the log",
            read=lambda: self._lag_seconds,
        )
        telemetry.gauge(
            "comptoir.usage.paused_partitions",
            unit="{partition}",
            description="Partitions that wait for a clock, a version or a setting",
            read=lambda: self._paused,
        )

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
