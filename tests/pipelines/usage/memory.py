"""The pipeline's ports in memory; they pass the same contracts as Kafka and ClickHouse."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.frame import Frame, Kind
from pipelines.usage.domain.ports import Letter, Partition, Record
from pipelines.usage.domain.retention import DAY_MICROSECONDS
from pipelines.usage.wire import parse
from services.runtime.clock import ManualClock


class MemoryLog:
    """What a broker keeps: records, and the group's offsets."""

    def __init__(self) -> None:
        self.records: dict[Partition, list[bytes]] = defaultdict(list)
        self.committed: dict[Partition, int] = {}

    async def append(self, partition: Partition, *values: bytes) -> None:
        """Adds records at the end."""
        self.records[partition] += values


class MemorySource:
    """The one member of a group over a MemoryLog."""

    def __init__(
        self,
        log: MemoryLog,
        *,
        batch: int = 3,
        on_empty: Callable[[], object] = lambda: None,
        clock: ManualClock | None = None,
    ) -> None:
        self._log = log
        self._batch = batch
        self._on_empty = on_empty
        self._clock = clock
        self._positions: dict[Partition, int] | None = None
        self.release: Callable[[], Awaitable[None]] | None = None
        self.idled_seconds = 0.0

    async def start(self, release: Callable[[], Awaitable[None]]) -> None:
        """Begins at the committed offsets, or at the beginning."""
        self.release = release
        self._positions = dict(self._log.committed)

    async def poll(self) -> Mapping[Partition, Sequence[Record]]:
        """Up to `batch` records of each partition."""
        assert self._positions is not None
        found = {}
        for partition, values in self._log.records.items():
            first = self._positions.get(partition, 0)
            if part := values[first : first + self._batch]:
                found[partition] = [Record(partition, first + i, value) for i, value in enumerate(part)]
                self._positions[partition] = first + len(part)
        if not found:
            self._on_empty()
        return found

    async def idle(self, seconds: float) -> None:
        """Lets a manual clock's time pass."""
        self.idled_seconds += seconds
        if self._clock is not None:
            self._clock.advance(seconds)

    async def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Stores the offsets."""
        self._log.committed.update(next_offsets)

    async def stop(self) -> None:
        """Leaves."""
        self._positions = None

    @property
    def is_member(self) -> bool:
        """True between start and stop."""
        return self._positions is not None

    def lag_frames(self) -> int:
        """Records not polled yet."""
        positions = self._positions or {}
        return sum(len(values) - positions.get(place, 0) for place, values in self._log.records.items())


class MemoryStore:
    """Rows as (producer, sequence), deduplicated as a MergeTree does: by token, per day."""

    def __init__(self) -> None:
        self._parts: dict[tuple[Kind, int, str], list[tuple[int, int]]] = {}

    async def insert(self, frame: Frame) -> None:
        """Stores the frame's events of each day, unless the day has its token."""
        columns = parse(frame)
        days = defaultdict(list)
        for producer, sequence, started in zip(
            columns["producer_id"],
            columns["producer_sequence"],
            columns["started_at_microseconds"],
            strict=True,
        ):
            days[started // DAY_MICROSECONDS].append((producer, sequence))
        for day, rows in days.items():
            self._parts.setdefault((frame.header.kind, day, frame.token), rows)

    async def rows(self, kind: Kind) -> list[tuple[int, int]]:
        """All rows of a table, sorted."""
        return sorted(row for (of, _, _), rows in self._parts.items() if of is kind for row in rows)


class MemoryDeadLetters:
    """A topic of letters."""

    def __init__(self) -> None:
        self._letters: list[tuple[bytes, bytes]] = []

    async def put(self, letter: Letter) -> None:
        """Keeps the letter."""
        self._letters.append((letter.key, letter.value))

    async def letters(self) -> list[tuple[bytes, dict[str, object]]]:
        """Key and content of each letter, oldest first."""
        return [(key, json.loads(content)) for key, content in self._letters]


class MemoryMeter:
    """Sums of what was counted."""

    def __init__(self) -> None:
        self.frames = 0
        self.rows = 0
        self.faults: list[Fault] = []
        self.lag_frames = -1

    def inserted(self, kind: Kind, rows: int, seconds: float) -> None:
        """A frame is in the store."""
        self.frames += 1
        self.rows += rows

    def dead_lettered(self, fault: Fault) -> None:
        """A frame went to the dead letters."""
        self.faults.append(fault)

    def lagging(self, frames: int) -> None:
        """So many frames wait."""
        self.lag_frames = frames
