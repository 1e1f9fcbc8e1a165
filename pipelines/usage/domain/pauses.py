"""Partitions that wait at a record which is whole and cannot be stored now."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.usage.domain.errors import BadFrameError, Fault
from pipelines.usage.domain.ports import Partition, Record


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a partition waits and why; nothing is committed past `offset`."""

    fault: Fault
    partition: Partition
    offset: int
    figures: Mapping[str, int]


class Pauses:
    """The paused partitions of one member; each is tried again after so many seconds."""

    def __init__(self, retry_seconds: float) -> None:
        self._retry_seconds = retry_seconds
        self._pauses: dict[Partition, Pause] = {}
        self._due_seconds: dict[Partition, float] = {}

    def enter(self, record: Record, bad: BadFrameError, *, now_seconds: float) -> bool:
        """Pauses the partition at `record`; returns True if it did not wait already, for the same reason."""
        before = self._pauses.get(record.partition)
        self._pauses[record.partition] = Pause(bad.fault, record.partition, record.offset, bad.figures)
        self._due_seconds[record.partition] = now_seconds + self._retry_seconds
        return before is None or (before.fault, before.offset) != (bad.fault, record.offset)

    def leave(self, partition: Partition) -> Pause | None:
        """Notes that the partition's record is done; returns the pause that this ends, if there was one."""
        self._due_seconds.pop(partition, None)
        return self._pauses.pop(partition, None)

    def may_try(self, partition: Partition, *, now_seconds: float) -> bool:
        """Returns True unless the partition is paused and was tried a moment ago."""
        return now_seconds >= self._due_seconds.get(partition, now_seconds)

    def forget(self) -> None:
        """Forgets the partitions: they belong to other members now."""
        self._pauses.clear()
        self._due_seconds.clear()

    @property
    def partitions(self) -> frozenset[Partition]:
        """The paused ones."""
        return frozenset(self._pauses)

    @property
    def all(self) -> tuple[Pause, ...]:
        """Every pause, the one that began first before the others."""
        return tuple(self._pauses.values())
