"""Whether the events of a frame may be stored: each rule, in the order in which it is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.frame import Header

# Producers' clocks may be ahead by this much; `clocks` holds events against it.
FUTURE_MICROSECONDS = 3_600_000_000

Columns = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The values that a field admits: a range, or a set where the field is an enum."""

    minimum: int = 0
    maximum: int = 2**64 - 1
    members: frozenset[int] | None = None

    def admit(self, values: Sequence[int]) -> bool:
        """True if every value is within."""
        if self.members is not None:
            return self.members.issuperset(values)
        return self.minimum <= min(values) and max(values) <= self.maximum


@dataclass(frozen=True, slots=True)
class Residence:
    """Where and how long this store keeps events."""

    region: int
    retention_days: int


def validate(header: Header, columns: Columns, bounds: Mapping[str, Bounds], residence: Residence) -> None:
    """Raises BadFrameError unless the events are the header's, in bounds, and of the region.

    `columns` holds a list per field, as long as the frame has events. When they began is judged by `clocks`.
    """
    first, last = header.first_sequence, header.first_sequence + header.count
    if len(columns["producer_sequence"]) != header.count:
        raise BadFrameError(Fault.COUNT_WRONG)
    checks = (
        (set(columns["producer_id"]) == {header.producer_id}, Fault.PRODUCER_WRONG),
        (list(columns["producer_sequence"]) == list(range(first, last)), Fault.SEQUENCE_WRONG),
        (set(columns["schema_version"]) == {header.schema_version}, Fault.SCHEMA_VERSION_UNKNOWN),
        (set(columns["region"]) == {residence.region}, Fault.REGION_WRONG),
        (all(rule.admit(columns[field]) for field, rule in bounds.items()), Fault.VALUE_OUT_OF_BOUNDS),
    )
    for is_right, fault in checks:
        if not is_right:
            raise BadFrameError(fault)
