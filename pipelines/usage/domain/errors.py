"""What can go wrong between the log and the store, split by what the consumer does next."""

from enum import IntEnum


class Fault(IntEnum):
    """Why a frame went to the dead letters. The numbers are stored there: never reuse one."""

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


class BadFrameError(Exception):
    """The frame can never be stored as it is: a dead letter."""

    def __init__(self, fault: Fault, *, store_code: int = 0) -> None:
        super().__init__(fault.name)
        self.fault = fault
        self.store_code = store_code


class UnavailableError(Exception):
    """The store or the log does not answer now: wait and try the same again, for as long as it takes."""

    def __init__(self, error_type: str, *, store_code: int = 0) -> None:
        super().__init__(error_type)
        self.error_type = error_type
        self.store_code = store_code


class NotOwnerError(Exception):
    """Another member of the group owns the partition now: forget what was read from it."""


class SchemaError(Exception):
    """The store's schema cannot be brought to this build's; the text is one sentence for an operator."""
