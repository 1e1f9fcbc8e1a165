"""The pipeline's ports in memory; they pass the same contracts as Kafka and ClickHouse."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet

from pipelines.usage.domain.clocks import Stamp
from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.frame import EventKey
from pipelines.usage.domain.ports import KindProgress, Lag, Letter, Partition, Record
from pipelines.usage.domain.retention import DAY_MICROSECONDS
from pipelines.usage.wire import keys_of, parse
from services.contract.events import Kind
from services.contract.frame import Frame
from services.kernel.clock import ManualClock


class MemoryLog:
    """What a broker keeps: records, and the group's offsets."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        """Stamps records by the broker's `clock`, or not at all."""
        self.records: dict[Partition, list[bytes]] = defaultdict(list)
        self.stamps: dict[Partition, list[Stamp | None]] = defaultdict(list)
        self.committed: dict[Partition, int] = {}
        self._clock = clock

    async def append(self, partition: Partition, *values: bytes) -> None:
        """Adds records at the end."""
        now = None if self._clock is None else Stamp(self._clock.wall_microseconds(), is_brokers=True)
        self.records[partition] += values
        self.stamps[partition] += [now] * len(values)

    def record(self, partition: Partition, offset: int) -> Record:
        """One record as a reader sees it."""
        return Record(partition, offset, self.records[partition][offset], self.stamps[partition][offset])


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

    async def poll(self, paused: Collection[Partition] = ()) -> Mapping[Partition, Sequence[Record]]:
        """Up to `batch` records of each partition but `paused`."""
        assert self._positions is not None
        found = {}
        for partition, values in self._log.records.items():
            first = self._positions.get(partition, 0)
            if partition not in paused and (part := values[first : first + self._batch]):
                found[partition] = [self._log.record(partition, first + i) for i in range(len(part))]
                self._positions[partition] = first + len(part)
        if not found:
            self._on_empty()
        return found

    def rewind(self, partition: Partition, offset: int) -> None:
        """The next poll begins at `offset`."""
        assert self._positions is not None
        self._positions[partition] = offset

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

    @property
    def is_name_contested(self) -> bool:
        """It has no name."""
        return False


class MemoryLag:
    """Compares a MemoryLog with its group's offsets."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def measure(self) -> Sequence[Lag]:
        """One entry per partition that holds something."""
        return [self._lag(partition) for partition in self._log.records]

    def _lag(self, partition: Partition) -> Lag:
        first, stamps = self._log.committed.get(partition, 0), self._log.stamps[partition]
        waiting = stamps[first:]
        return Lag(partition, len(waiting), waiting[0] if waiting else None, waiting[-1] if waiting else None)


class MemoryStore:
    """Rows as (producer, sequence), deduplicated as a MergeTree does: by token, per day."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self._parts: dict[tuple[Kind, int, str], list[tuple[int, int]]] = {}
        self._keys: dict[tuple[Kind, int], set[EventKey]] = defaultdict(set)
        self._dead: dict[bytes, tuple[Kind, Mapping[str, int]]] = {}
        self._clock = ManualClock() if clock is None else clock
        self.progress: list[KindProgress] = []

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
            self._parts.setdefault((frame.kind, day, frame.token), rows)
        self._keys[frame.kind, frame.producer_id].update(keys_of(frame))

    async def highest_sequence(self, kind: Kind, producer_id: int) -> int:
        """The producer's highest sequence, or 0."""
        return max((key.sequence for key in self._keys[kind, producer_id]), default=0)

    async def stored_of(self, frame: Frame) -> AbstractSet[EventKey]:
        """Those of the frame's events that are rows."""
        return self._keys[frame.kind, frame.producer_id].intersection(keys_of(frame))

    def forget_tokens(self) -> None:
        """So many frames came since that the window holds no token of these any more."""
        self._parts = {(kind, day, f"{token} "): rows for (kind, day, token), rows in self._parts.items()}

    async def note_dead(self, kind: Kind, letter: Letter) -> None:
        """Keeps a letter once."""
        self._dead[letter.key] = kind, letter.row

    async def dead(self) -> list[tuple[int, int, int]]:
        """Kind, partition and offset of each dead letter, sorted."""
        return sorted((int(kind), row["partition"], row["offset"]) for kind, row in self._dead.values())

    async def note_progress(self, progress: Sequence[KindProgress]) -> None:
        """Keeps the last measurement."""
        self.progress = list(progress)

    async def clock(self) -> int:
        """What the store's clock reads."""
        return self._clock.wall_microseconds()

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
        self.lag_frames, self.lag_seconds, self.paused_partitions, self.lost_frames = -1, -1.0, 0, 0

    def inserted(self, kind: Kind, rows: int, seconds: float) -> None:
        """A frame is in the store."""
        self.frames += 1
        self.rows += rows

    def dead_lettered(self, fault: Fault) -> None:
        """A frame went to the dead letters."""
        self.faults.append(fault)

    def lagging(self, frames: int, seconds: float) -> None:
        """So many frames wait, the oldest for so long."""
        self.lag_frames, self.lag_seconds = frames, seconds

    def paused(self, partitions: int) -> None:
        """So many partitions are paused."""
        self.paused_partitions = partitions

    def lost(self, frames: int) -> None:
        """The log dropped so many frames unread."""
        self.lost_frames += frames
