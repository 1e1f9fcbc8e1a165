"""Whether the events of a frame may be stored: each rule, in the order in which it is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.usage.domain.errors import BadFrameError, Fault
from services.contract.frame import Frame

Columns = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The values that a field admits: a range, or a set where the field is an enum."""

    minimum: int = 0
    maximum: int = 2**64 - 1
    members: frozenset[int] | None = None

    def admit(self, values: Sequence[int]) -> bool:
        """Returns True if every value is within."""
        if self.members is not None:
            return self.members.issuperset(values)
        return self.minimum <= min(values) and max(values) <= self.maximum


@dataclass(frozen=True, slots=True)
class Residence:
    """Where and how long this store keeps events."""

    region: int
    retention_days: int


def validate(frame: Frame, columns: Columns, bounds: Mapping[str, Bounds], residence: Residence) -> None:
    """Raises BadFrameError unless the events are the frame's, in bounds, and of the region.

    `columns` holds a list per field, as long as the frame has events. When they began is judged by `clocks`.
    """
    first, last = frame.first_sequence, frame.first_sequence + frame.count
    if len(columns["producer_sequence"]) != frame.count:
        raise BadFrameError(Fault.COUNT_WRONG)
    checks = (
        (set(columns["producer_id"]) == {frame.producer_id}, Fault.PRODUCER_WRONG),
        (list(columns["producer_sequence"]) == list(range(first, last)), Fault.SEQUENCE_WRONG),
        (set(columns["schema_version"]) == {frame.schema_version}, Fault.SCHEMA_VERSION_UNKNOWN),
        (set(columns["region"]) == {residence.region}, Fault.REGION_WRONG),
        (all(rule.admit(columns[field]) for field, rule in bounds.items()), Fault.VALUE_OUT_OF_BOUNDS),
    )
    for is_right, fault in checks:
        if not is_right:
            raise BadFrameError(fault)
