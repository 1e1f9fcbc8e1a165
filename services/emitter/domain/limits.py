"""When the spool takes no more: too many bytes wait for Kafka, or they have waited too long."""

from dataclasses import dataclass
from pathlib import Path

from services.emitter.domain.batching import SealLimits
from services.kernel.errors import ComptoirError, Reason

RETRY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """The most that may wait: bytes of events and frames, and seconds since the oldest was taken."""

    max_bytes: int
    max_age_seconds: float


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """Where a durable spool is and how it is kept.

    `is_flushed` makes an acknowledged event survive a power cut and not only the end of the process.
    """

    folder: Path
    is_flushed: bool
    seal: SealLimits
    limits: SpoolLimits
    remember_ids_seconds: float


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What waits in the spool now; `oldest_at_microseconds` is 0 where nothing does."""

    events: int
    size_bytes: int
    oldest_at_microseconds: int

    def age_seconds(self, now_microseconds: int) -> float:
        """Seconds since the oldest waiting event was taken; 0 where none waits or the clock went back."""
        if self.oldest_at_microseconds == 0:
            return 0.0
        return max(now_microseconds - self.oldest_at_microseconds, 0) / 1_000_000


def refuse_if_full(
    state: SpoolState, limits: SpoolLimits, *, incoming_bytes: int, now_microseconds: int
) -> None:
    """Raises SPOOL_FULL if `incoming_bytes` more would pass a limit; nothing is ever dropped to make room."""
    is_too_large = state.size_bytes + incoming_bytes > limits.max_bytes
    is_too_old = state.age_seconds(now_microseconds) > limits.max_age_seconds
    if is_too_large or is_too_old:
        raise ComptoirError(Reason.SPOOL_FULL, retry_after_seconds=RETRY_AFTER_SECONDS)
