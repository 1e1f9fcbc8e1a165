"""A spool and a log of the emitter in memory; both pass the contracts of their ports."""

from collections.abc import Sequence

from services.contract.events import Kind
from services.contract.frame import Frame, seal
from services.emitter.domain.batching import Unsealed, events_to_seal
from services.emitter.domain.id_span import IdSpan
from services.emitter.domain.limits import SpoolFile, SpoolState, refuse_if_full
from services.emitter.domain.ports import Event, LogUnavailableError, Taken
from services.kernel.clock import Clock


class MemorySpool:
    """A `Spool` that keeps nothing; of `spool` it uses all but the folder."""

    def __init__(self, spool: SpoolFile, clock: Clock, *, producer_id: int = 1) -> None:
        self.producer_id = producer_id
        self._spool = spool
        self._clock = clock
        self._ids: dict[bytes, int] = {}
        self._span = IdSpan(0, 0.0, clock.monotonic_seconds())
        self._journals: dict[Kind, list[tuple[int, bytes]]] = {kind: [] for kind in Kind}
        self._frames: dict[Kind, list[tuple[int, Frame]]] = {kind: [] for kind in Kind}
        self._sequences = dict.fromkeys(Kind, 0)
        self._partitions: dict[Kind, int] = {}

    @property
    def state(self) -> SpoolState:
        """What waits now."""
        events = [event for journal in self._journals.values() for event in journal]
        frames = [frame for frames in self._frames.values() for frame in frames]
        return SpoolState(
            events=len(events) + sum(frame.count for _, frame in frames),
            size_bytes=sum(len(body) for _, body in events) + sum(len(frame.value) for _, frame in frames),
            oldest_at_microseconds=min((taken_at for taken_at, _ in [*events, *frames]), default=0),
            kinds=frozenset(kind for kind in Kind if self._journals[kind] or self._frames[kind]),
        )

    async def take(self, events: Sequence[Event]) -> Taken:
        """Takes all events or none."""
        now = self._clock.wall_microseconds()
        fresh: dict[bytes, Event] = {}
        for event in events:
            if event.event_id not in self._ids:
                fresh.setdefault(event.event_id, event)
        if fresh:
            size_bytes = sum(event.size_bytes for event in fresh.values())
            refuse_if_full(self.state, self._spool, now, size_bytes)
        for event in fresh.values():
            self._sequences[event.kind] += 1
            body = event.numbered(self.producer_id, self._sequences[event.kind])
            self._journals[event.kind].append((now, body))
        if fresh:
            self._span = self._span.at(
                self._clock.monotonic_seconds(), self._spool.remember_event_ids_seconds
            )
            self._ids |= dict.fromkeys(fresh, self._span.number)
            self._ids = {event_id: n for event_id, n in self._ids.items() if n >= self._span.number - 1}
        return Taken(accepted=len(fresh), duplicates=len(events) - len(fresh))

    async def frames(self, kind: Kind, *, limit: int, is_draining: bool = False) -> Sequence[Frame]:
        """Seals what is due and returns the oldest frames of `kind`."""
        for _ in range(limit):
            count = self._due(kind, is_draining=is_draining)
            if count == 0:
                break
            sealed, self._journals[kind] = self._journals[kind][:count], self._journals[kind][count:]
            first = self._sequences[kind] - len(self._journals[kind]) - count + 1
            frame = seal(kind, self.producer_id, first, [body for _, body in sealed])
            self._frames[kind].append((sealed[0][0], frame))
        return [frame for _, frame in self._frames[kind][:limit]]

    async def remove(self, last: Frame) -> None:
        """Forgets `last` and the frames of its kind before it."""
        frames = self._frames[last.kind]
        self._frames[last.kind] = [each for each in frames if each[1].first_sequence > last.first_sequence]

    async def partition(self, kind: Kind) -> int | None:
        """The partition chosen for `kind`, or None."""
        return self._partitions.get(kind)

    async def choose_partition(self, kind: Kind, partition: int) -> None:
        """Remembers the partition of `kind`."""
        self._partitions[kind] = partition

    async def close(self) -> None:
        """Nothing to release."""

    def _due(self, kind: Kind, *, is_draining: bool) -> int:
        journal = self._journals[kind]
        return events_to_seal(
            Unsealed(kind, count=len(journal), oldest_at_microseconds=journal[0][0] if journal else 0),
            self._spool,
            now_microseconds=self._clock.wall_microseconds(),
            is_frame_waiting=bool(self._frames[kind]),
            is_draining=is_draining,
        )


class MemoryLog:
    """An `EventLog` whose failures a test can order: each of `failures` fails one append.

    A failure is the number of frames that arrive in spite of it: a confirmation can be lost on its way.
    """

    def __init__(self, partition_count: int = 4) -> None:
        self.failures: list[int] = []
        self._partition_count = partition_count
        self._records: dict[tuple[Kind, int], list[Frame]] = {}

    def records(self, kind: Kind, partition: int) -> list[Frame]:
        """What is in the log, in order."""
        return list(self._records.get((kind, partition), ()))

    async def partitions(self, kind: Kind) -> int:
        """How many partitions each topic has."""
        del kind
        return self._partition_count

    async def append(self, frames: Sequence[Frame], partition: int) -> None:
        """Appends the frames, or as many as the next ordered failure lets through."""
        if partition >= self._partition_count:
            raise LogUnavailableError
        records = self._records.setdefault((frames[0].kind, partition), [])
        if self.failures:
            records.extend(frames[: self.failures.pop(0)])
            raise LogUnavailableError
        records.extend(frames)

    async def close(self) -> None:
        """Nothing to close."""
