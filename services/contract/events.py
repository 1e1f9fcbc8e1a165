"""What is common to all events: their kinds, the version of their meanings, and the bounds of their times."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Self

# The version of the events' meanings that producers write into every event, and emitters into every frame.
EVENT_SCHEMA_VERSION: Final = 1
# Clocks of producers, emitters and pipelines may differ by this much; beyond it one of them is wrong.
EVENT_MAX_SKEW_MICROSECONDS: Final = 3_600_000_000
# The bounds of what a store may promise, in whole UTC days. What an emitter takes must reach the store of the
# shortest promise in time.
RETENTION_MIN_DAYS: Final = 7
RETENTION_MAX_DAYS: Final = 30

DEAD_LETTER_TOPIC: Final = "comptoir.dead-letter.v1"


class Kind(IntEnum):
    """One row per kind of event; the names of everything that belongs to a kind follow from its row.

    The number stands in frames, spools and stored rows, so none is used twice. `maker_field` is the field by
    which the processes that make such events are told apart, empty where one word stands for all of them.
    `table` is the kind's table in the store where it is not named like `request_field`.
    """

    _value_: int
    maker_field: str
    other_table: str

    ADMISSION = 1
    GENERATION = 2, "replica"
    EDGE_REQUEST = 3
    REPLICA_LOAD = 4, "replica", "replica_load"
    ADMIN_ACT = 5

    def __new__(cls, number: int, maker_field: str = "", table: str = "") -> Self:
        """Makes a member of the number, with its names as attributes."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.maker_field = maker_field
        member.other_table = table
        return member

    @property
    def label(self) -> str:
        """The kind's name in stored rows, metrics and logs: `edge_request`."""
        return self.name.lower()

    @property
    def topic(self) -> str:
        """The Kafka topic of the kind's frames: `comptoir.edge-request.v1`."""
        return f"comptoir.{self.label.replace('_', '-')}.v1"

    @property
    def message_name(self) -> str:
        """The kind's message in `comptoir.usage.v1`: `EdgeRequest`."""
        return "".join(word.capitalize() for word in self.label.split("_"))

    @property
    def frame_name(self) -> str:
        """The message of a frame's body in `comptoir.usage.v1`: `EdgeRequestFrame`."""
        return f"{self.message_name}Frame"

    @property
    def request_field(self) -> str:
        """The field of `comptoir.emitter.v1.RecordRequest` that holds the kind's events: `edge_requests`."""
        return f"{self.label}s"

    @property
    def table(self) -> str:
        """The kind's table in the store: `edge_requests`."""
        return self.other_table or self.request_field


KIND_OF_TOPIC: Final[Mapping[str, Kind]] = {kind.topic: kind for kind in Kind}
