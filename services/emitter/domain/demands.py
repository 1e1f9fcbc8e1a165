"""What the store demands of every event: one that breaks it would take its whole frame out of the store."""

from dataclasses import dataclass
from typing import Protocol

from services.emitter.domain.frame import SCHEMA_VERSION
from services.runtime.errors import ComptoirError, Reason

# Producers' clocks may be ahead by this much; the usage pipeline allows the same.
FUTURE_MICROSECONDS = 3_600_000_000
# With the at most 6 days that the spool keeps an event, less than the shortest retention of 7 days.
PAST_MICROSECONDS = 86_400_000_000
# How soon a producer may try again with what another clock, program or region would take.
RETRY_AFTER_SECONDS = 1.0


class Dated(Protocol):
    """What every event says of itself, whatever its kind."""

    schema_version: int
    region: int
    started_at_microseconds: int


@dataclass(frozen=True, slots=True)
class Demands:
    """What this emitter's store takes: events of its own region and of this schema, begun lately."""

    region: int
    schema_version: int = SCHEMA_VERSION

    def broken_by(self, event: Dated, now_microseconds: int) -> str:
        """The name of the first field that breaks a demand, or nothing."""
        age_microseconds = now_microseconds - event.started_at_microseconds
        checks = (
            (event.schema_version == self.schema_version, "schema_version"),
            (event.region == self.region, "region"),
            (-FUTURE_MICROSECONDS <= age_microseconds <= PAST_MICROSECONDS, "started_at_microseconds"),
        )
        return next((field for is_right, field in checks if not is_right), "")


class NotAcceptableNowError(ComptoirError):
    """An event that is whole, and of another time, program or region than this emitter.

    Which of the two is wrong nobody can tell from the event, and either may be put right. So the reason is
    one that every producer, of any version, takes as "keep it and try again"; `field` says what disagrees.
    """

    def __init__(self, field: str, offset_seconds: float = 0.0) -> None:
        super().__init__(Reason.USAGE_NOT_RECORDED, field=field, retry_after_seconds=RETRY_AFTER_SECONDS)
        self.offset_seconds = offset_seconds
