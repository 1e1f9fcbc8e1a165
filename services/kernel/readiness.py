"""Whether a process is ready, and if not, why: an enum and numbers, for every process alike; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final


class Unready(IntEnum):
    """Why not; the numbers and names of `comptoir.readiness.v1.UnreadyReason`, which documents each."""

    UNSPECIFIED = 0
    STARTING = 1
    DRAINING = 2
    STORE_AWAY = 3
    LOG_AWAY = 4
    BEHIND = 5
    REBALANCING = 6
    CORRUPT_FRAMES = 7
    CLOCK_BEHIND = 8
    CLOCK_AHEAD = 9
    STORE_CLOCK_WRONG = 10
    STARTED_IN_THE_FUTURE = 11
    EXPIRED_ON_ARRIVAL = 12
    HEADER_VERSION_UNKNOWN = 13
    SCHEMA_VERSION_UNKNOWN = 14
    KIND_UNKNOWN = 15
    FIELD_UNKNOWN = 16
    VALUE_OUT_OF_BOUNDS = 17
    REGION_WRONG = 18
    STORE_REFUSED = 19
    NOT_REGISTERED = 20
    NAME_TAKEN = 21


class Figure(IntEnum):
    """What a number counts; the numbers and names of `comptoir.readiness.v1.FigureName`."""

    UNSPECIFIED = 0
    OFFSET_SECONDS = 1
    VERSION = 2
    KNOWN_VERSION = 3
    KIND = 4
    PARTITION = 5
    OFFSET = 6
    CLICKHOUSE_CODE = 7
    PAUSED_PARTITIONS = 8
    WAITING_FRAMES = 9
    BEHIND_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of a process; `since_microseconds` is 0 until a server stamps it."""

    is_ready: bool
    reason: Unready = Unready.UNSPECIFIED
    figures: Mapping[Figure, int] = field(default_factory=dict)
    since_microseconds: int = 0

    def is_same_state(self, other: "Readiness") -> bool:
        """Returns whether only numbers differ."""
        return (self.is_ready, self.reason) == (other.is_ready, other.reason)


READY: Final = Readiness(is_ready=True)
STARTING: Final = Readiness(is_ready=False, reason=Unready.STARTING)
DRAINING: Final = Readiness(is_ready=False, reason=Unready.DRAINING)


def unready(reason: Unready, figures: Mapping[Figure, int] | None = None) -> Readiness:
    """Returns the state of a process that is not ready for `reason`."""
    return Readiness(is_ready=False, reason=reason, figures=figures or {})
