"""What the consumer needs of the world: a log to read, a store to fill, a place for what cannot be stored."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.frame import Frame, Kind


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """One Kafka record: where it stands and its value."""

    partition: Partition
    offset: int
    value: bytes


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


class FrameSource(Protocol):
    """The log, read as a member of a group; positions move only by `commit`."""

    async def start(self, release: Callable[[], Awaitable[None]]) -> None:
        """Joins the group; `release` is awaited before partitions go to another member.

        UnavailableError if the log does not answer; it may be called again then.
        """
        ...

    async def poll(self) -> Mapping[Partition, Sequence[Record]]:
        """The next records of each partition in order, or none after a bounded time; or UnavailableError."""
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

    def lag_frames(self) -> int:
        """Records in the assigned partitions that `poll` has not returned yet."""
        ...


class EventStore(Protocol):
    """Where frames become rows."""

    async def insert(self, frame: Frame) -> None:
        """Stores all events of the frame, or none; the same frame again changes nothing.

        BadFrameError(STORE_REFUSED) if the store will never take it, UnavailableError if it cannot now.
        """
        ...


class DeadLetters(Protocol):
    """Where the positions of frames that cannot be stored go."""

    async def put(self, letter: Letter) -> None:
        """Returns once the letter is durable; UnavailableError otherwise."""
        ...


class Meter(Protocol):
    """What the pipeline counts: frames consumed = frames inserted + dead letters."""

    def inserted(self, kind: Kind, rows: int, seconds: float) -> None:
        """A frame is in the store."""
        ...

    def dead_lettered(self, fault: Fault) -> None:
        """A frame went to the dead letters."""
        ...

    def lagging(self, frames: int) -> None:
        """So many frames wait in the assigned partitions."""
        ...
