"""What can go wrong between the log and the store, split by what the consumer does next."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class Fault(IntEnum):
    """Why a frame is not stored. The numbers are stored in dead letters and in progress: never reuse one."""

    HEADER_TRUNCATED = 1
    MAGIC_WRONG = 2
    HEADER_VERSION_UNKNOWN = 3
    KIND_WRONG = 4
    SCHEMA_VERSION_UNKNOWN = 5
    LENGTH_WRONG = 6
    CHECKSUM_WRONG = 7
    COUNT_WRONG = 8
    SEQUENCE_WRONG = 9
    BODY_UNREADABLE = 10
    BODY_NOT_CANONICAL = 11
    PRODUCER_WRONG = 12
    REGION_WRONG = 13
    VALUE_OUT_OF_BOUNDS = 14
    STARTED_IN_THE_FUTURE = 15
    EXPIRED = 16
    STORE_REFUSED = 17
    FIELD_UNKNOWN = 18
    KIND_UNKNOWN = 19
    CLOCK_BEHIND = 20
    CLOCK_AHEAD = 21
    STORE_CLOCK_WRONG = 22
    EXPIRED_ON_ARRIVAL = 23

    @property
    def is_corrupt(self) -> bool:
        """True if no clock, program or configuration could ever make the frame storable: a dead letter."""
        return self in _CORRUPT


# What is whole and cannot be stored now is a wrong clock, another version or a wrong setting, and
# its events were acknowledged: it waits in the log. EXPIRED is only said by clocks that confirm one another.
_CORRUPT: Final = frozenset(
    {
        Fault.HEADER_TRUNCATED,
        Fault.MAGIC_WRONG,
        Fault.KIND_WRONG,
        Fault.LENGTH_WRONG,
        Fault.CHECKSUM_WRONG,
        Fault.COUNT_WRONG,
        Fault.SEQUENCE_WRONG,
        Fault.BODY_UNREADABLE,
        Fault.BODY_NOT_CANONICAL,
        Fault.PRODUCER_WRONG,
        Fault.EXPIRED,
    }
)


class BadFrameError(Exception):
    """The frame cannot be stored: it is corrupt, or a clock, a version or a setting is in the way.

    `figures` says in which way, by names that a log may hold.
    """

    def __init__(self, fault: Fault, *, store_code: int = 0, **figures: int) -> None:
        super().__init__(fault.name)
        self.fault = fault
        self.store_code = store_code
        self.figures: Mapping[str, int] = {
            **figures,
            **({"clickhouse_code": store_code} if store_code else {}),
        }


class UnavailableError(Exception):
    """The store or the log does not answer now: wait and try the same again, for as long as it takes."""

    def __init__(self, error_type: str, *, store_code: int = 0, is_log: bool = False) -> None:
        super().__init__(error_type)
        self.error_type = error_type
        self.store_code = store_code
        self.is_log = is_log


class NotOwnerError(Exception):
    """Another member of the group owns the partition now: forget what was read from it."""


class SchemaError(Exception):
    """The store's schema cannot be brought to this build's; the text is one sentence for an operator."""
