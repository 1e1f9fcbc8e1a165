"""What the consumer needs of the world: a log to read, a store to fill, a place for what cannot be stored."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Protocol

from pipelines.usage.domain.clocks import Stamp
from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.frame import EventKey
from services.contract.events import Kind
from services.contract.frame import Frame


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """One Kafka record: where it stands, its value, and when it entered the log.

    `skipped` counts the records before it that the log dropped before this group had read them.
    """

    partition: Partition
    offset: int
    value: bytes
    stamp: Stamp | None = None
    skipped: int = 0


class Lag(NamedTuple):
    """What one partition holds that the group has not committed.

    `oldest` is the stamp of the first such record; `newest` that of the last record of the partition.
    """

    partition: Partition
    frames: int
    oldest: Stamp | None
    newest: Stamp | None


class Letter(Protocol):
    """What a dead-letter topic takes."""

    @property
    def key(self) -> bytes:
        """Identity of the position."""
        ...

    @property
    def value(self) -> bytes:
        """Reason and position."""
        ...

    @property
    def row(self) -> Mapping[str, int]:
        """The same in numbers, and whose events the frame claims to hold."""
        ...


class FrameSource(Protocol):
    """The log, read as a member of a group; positions move only by `commit`."""

    async def start(self, release: Callable[[], Awaitable[None]]) -> None:
        """Joins the group; `release` is awaited before partitions go to another member.

        UnavailableError if the log does not answer; it may be called again then.
        """
        ...

    async def poll(self, paused: Collection[Partition] = ()) -> Mapping[Partition, Sequence[Record]]:
        """Returns the next records of each partition but `paused`, or none in time; UnavailableError."""
        ...

    def rewind(self, partition: Partition, offset: int) -> None:
        """Lets the next poll of the partition begin at `offset`; forgets what was polled from there on."""
        ...

    async def idle(self, seconds: float) -> None:
        """Waits as a live member of the group without taking records."""
        ...

    async def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Stores where to read on; NotOwnerError after a rebalance, UnavailableError without an answer."""
        ...

    async def stop(self) -> None:
        """Leaves the group."""
        ...

    @property
    def is_member(self) -> bool:
        """True once the group gave this member its partitions, be they none."""
        ...

    @property
    def is_name_contested(self) -> bool:
        """True while another member has the name of this one, and they take partitions from each other."""
        ...


class LagGauge(Protocol):
    """How far the whole group is behind the log, asked beside it: also while nothing is polled."""

    async def measure(self) -> Sequence[Lag]:
        """Returns one entry per partition; UnavailableError if the log does not answer in a bounded time."""
        ...


class KindProgress(NamedTuple):
    """How far the store is behind the log in one kind.

    `oldest_microseconds` is the stamp of the first record that waits, or 0; `pause` and the two after it
    say where a partition is paused, if one is.
    """

    kind: Kind
    waiting_frames: int
    oldest_microseconds: int
    pause: Fault | None = None
    pause_partition: int = 0
    pause_offset: int = 0


class StoreCheck(NamedTuple):
    """What the store holds, by kind: events that are missing or there twice, and for how long too long.

    `unended_requests` were admitted and have no terminal event.
    """

    missing_events: Mapping[Kind, int]
    double_events: Mapping[Kind, int]
    overdue_seconds: Mapping[Kind, float]
    unended_requests: int


class EventStore(Protocol):
    """Where frames become rows."""

    async def insert(self, frame: Frame) -> None:
        """Stores all events of the frame, or none; the same frame again changes nothing.

        BadFrameError(STORE_REFUSED) if the store does not take these events, UnavailableError if it takes
        none.
        """
        ...

    async def highest_sequence(self, kind: Kind, producer_id: int) -> int:
        """Returns the highest sequence of the producer's events of this kind, 0 without any; fails alike."""
        ...

    async def stored_of(self, frame: Frame) -> AbstractSet[EventKey]:
        """Returns those of the frame's events that are rows already, of any frame; fails alike."""
        ...

    async def note_dead(self, kind: Kind, letter: Letter) -> None:
        """Keeps where a dead letter's frame stands; the same letter again changes nothing.

        UnavailableError if the store does not.
        """
        ...

    async def note_progress(self, progress: Sequence[KindProgress]) -> None:
        """Keeps how far each kind is behind, for readers of the store.

        UnavailableError if the store does not: its tables may not be there yet.
        """
        ...

    async def clock(self) -> int:
        """Returns what the store's clock reads, in microseconds."""
        ...


class DeadLetters(Protocol):
    """Where the positions of frames that cannot be stored go."""

    async def put(self, letter: Letter) -> None:
        """Returns once the letter is durable; UnavailableError otherwise."""
        ...


class Meter(Protocol):
    """What the pipeline counts: frames consumed = frames inserted + dead letters."""

    def inserted(self, kind: Kind, rows: int, seconds: float) -> None:
        """Counts a frame that is in the store."""
        ...

    def dead_lettered(self, fault: Fault) -> None:
        """Counts a frame that went to the dead letters."""
        ...

    def lagging(self, frames: int, seconds: float) -> None:
        """Sets how many frames wait in the log, and the oldest of them for how long."""
        ...

    def paused(self, partitions: int) -> None:
        """Sets how many partitions are paused."""
        ...

    def lost(self, frames: int) -> None:
        """Counts frames that the log dropped before they were read."""
        ...
