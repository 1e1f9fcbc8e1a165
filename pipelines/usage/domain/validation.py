"""Whether the events of a frame may be stored: each rule, in the order in which it is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.frame import Header
from pipelines.usage.domain.retention import expires_at_microseconds

# Producers' clocks may be ahead by this much.
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


def validate(
    header: Header, columns: Columns, bounds: Mapping[str, Bounds], residence: Residence, *, now: int
) -> None:
    """Raises BadFrameError unless the events are the header's, in bounds, of the region, and of the present.

    `columns` holds a list per field, as long as the frame has events; `now` is in microseconds.
    """
    first, last = header.first_sequence, header.first_sequence + header.count
    if len(columns["producer_sequence"]) != header.count:
        raise BadFrameError(Fault.COUNT_WRONG)
    newest = max(columns["started_at_microseconds"])
    checks = (
        (set(columns["producer_id"]) == {header.producer_id}, Fault.PRODUCER_WRONG),
        (list(columns["producer_sequence"]) == list(range(first, last)), Fault.SEQUENCE_WRONG),
        (set(columns["schema_version"]) == {header.schema_version}, Fault.SCHEMA_VERSION_UNKNOWN),
        (set(columns["region"]) == {residence.region}, Fault.REGION_WRONG),
        (all(rule.admit(columns[field]) for field, rule in bounds.items()), Fault.VALUE_OUT_OF_BOUNDS),
        (newest <= now + FUTURE_MICROSECONDS, Fault.STARTED_IN_THE_FUTURE),
        # A frame with one living event is stored whole: its expired rows are hidden at once, dropped soon.
        (expires_at_microseconds(newest, residence.retention_days) > now, Fault.EXPIRED),
    )
    for is_right, fault in checks:
        if not is_right:
            raise BadFrameError(fault)
