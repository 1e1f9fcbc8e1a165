"""How a spool is kept, and when it takes no more: too many bytes wait for Kafka, or they wait too long."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.contract.events import Kind
from services.kernel.errors import ComptoirError, Reason

_DAY_SECONDS: Final = 86_400.0
# 2,000 events of at most 400 bytes stay under Kafka's default limit of 1 MiB for a record.
MAX_FRAME_EVENTS: Final = 2_000

RETRY_AFTER_SECONDS: Final = 1.0
# Requests are counted, billed and reconciled by these. Both wait alike, or an answer would for a while be in
# the store without its admission.
_COUNTED: Final = frozenset({Kind.ADMISSION, Kind.GENERATION})


class SpoolFile(BaseModel):
    """Where a spool is and how it is kept; the settings of the section `emitter` are this and addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spool_folder: Path = Field(description="folder of the spool; created if absent, one emitter at a time")
    durability: Literal["power", "process"] = Field(
        default="power",
        description="`power`: an acknowledged event survives a power cut; `process`: it survives the end of "
        "the process and not that of the machine",
    )
    spool_max_bytes: int = Field(
        default=1024**3,
        ge=1024**2,
        description="most bytes that may wait for Kafka; more are refused as SPOOL_FULL",
    )
    # Below the shortest retention, 7 days, so that no event reaches the store too late to be kept.
    spool_max_age_seconds: float = Field(
        default=2 * _DAY_SECONDS,
        gt=0,
        le=6 * _DAY_SECONDS,
        description="longest that an event may wait for Kafka; while one waits longer, more are refused as "
        "SPOOL_FULL",
    )
    remember_event_ids_seconds: float = Field(
        default=3600.0,
        ge=60,
        le=_DAY_SECONDS,
        description="how long an event's id is known, so that the same event is not taken twice",
    )
    frame_max_events: int = Field(
        default=500,
        ge=1,
        le=MAX_FRAME_EVENTS,
        description="events of a full frame, which is sealed at once",
    )
    frame_linger_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="age of its oldest event at which a smaller frame of admissions or generations is "
        "sealed; a frame is one insert, which costs the store the same for one event as for many",
    )
    uncounted_frame_linger_seconds: float = Field(
        default=5.0,
        gt=0,
        le=60,
        description="the same for the other kinds, from which no request is counted: their rows explain, and "
        "may come later",
    )

    def linger_seconds(self, kind: Kind) -> float:
        """Returns the age of its oldest event at which a frame of `kind` that is not full is sealed."""
        is_counted = kind in _COUNTED
        return self.frame_linger_seconds if is_counted else self.uncounted_frame_linger_seconds

    @property
    def is_flushed(self) -> bool:
        """Whether an acknowledged event survives a power cut and not only the end of the process."""
        return self.durability == "power"


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What waits in the spool now, and of which kinds; `oldest_at_microseconds` is 0 where nothing does."""

    events: int
    size_bytes: int
    oldest_at_microseconds: int
    kinds: frozenset[Kind] = frozenset()

    def age_seconds(self, now_microseconds: int) -> float:
        """Seconds since the oldest waiting event was taken; 0 where none waits or the clock went back."""
        if self.oldest_at_microseconds == 0:
            return 0.0
        return max(now_microseconds - self.oldest_at_microseconds, 0) / 1_000_000


def refuse_if_full(state: SpoolState, spool: SpoolFile, now_microseconds: int, incoming_bytes: int) -> None:
    """Raises SPOOL_FULL if `incoming_bytes` more would pass a limit; nothing is ever dropped to make room."""
    is_too_large = state.size_bytes + incoming_bytes > spool.spool_max_bytes
    is_too_old = state.age_seconds(now_microseconds) > spool.spool_max_age_seconds
    if is_too_large or is_too_old:
        raise ComptoirError(Reason.SPOOL_FULL, retry_after_seconds=RETRY_AFTER_SECONDS)
