"""What the emitter needs from the world: a durable spool, and a log to append frames to."""

from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.domain.limits import SpoolState


class Event(Protocol):
    """One event, checked and pseudonymised, that has no sequence yet."""

    @property
    def kind(self) -> Kind:
        """Its kind."""
        ...

    @property
    def event_id(self) -> bytes:
        """16 bytes, unique among the events of all kinds."""
        ...

    @property
    def size_bytes(self) -> int:
        """An upper bound of the bytes that it takes in a frame."""
        ...

    @property
    def is_awaited(self) -> bool:
        """Whether the first text of an answer, or its end, waits until it is durable."""
        ...

    def numbered(self, producer_id: int, sequence: int) -> bytes:
        """Returns the event's serialized bytes with its producer and sequence set."""
        ...


class Taken(NamedTuple):
    """How many events a call took, and how many had been taken before."""

    accepted: int
    duplicates: int


class Spool(Protocol):
    """The durable queue between the acknowledged call and Kafka.

    Every method returns once what it did is durable, and raises ComptoirError with SPOOL_FULL or
    USAGE_NOT_RECORDED if it did nothing. Each event is at any moment in exactly one place: waiting for
    a frame, in one frame, or removed.
    """

    @property
    def producer_id(self) -> int:
        """64 random bits, made with the spool and lost with it."""
        ...

    @property
    def state(self) -> SpoolState:
        """What waits now."""
        ...

    def take(self, events: Sequence[Event]) -> Awaitable[Taken]:
        """Takes all events or none; those whose id was taken within the window count as duplicates.

        The events are in line once it returns, and durable once what it returns was awaited.
        """
        ...

    async def frames(self, kind: Kind, *, limit: int, is_draining: bool = False) -> Sequence[Frame]:
        """Seals what is due and returns the oldest frames of `kind` in order; draining makes all due."""
        ...

    async def remove(self, last: Frame) -> None:
        """Forgets `last` and every frame of its kind before it; Kafka has them."""
        ...

    async def partition(self, kind: Kind) -> int | None:
        """Returns the partition chosen for `kind`, or None."""
        ...

    async def choose_partition(self, kind: Kind, partition: int) -> None:
        """Remembers the partition of `kind` for as long as the spool lives."""
        ...

    async def close(self) -> None:
        """Ends what is under way and releases the spool."""
        ...


class LogUnavailableError(Exception):
    """The log did not confirm; what it was given may or may not be in it. The caller gives it again.

    `error_type` is the log's own word for why, where it has one.
    """

    def __init__(self, error_type: str = "") -> None:
        super().__init__(error_type)
        self.error_type = error_type


class EventLog(Protocol):
    """The ordered log of each kind."""

    async def partitions(self, kind: Kind) -> int:
        """Returns how many partitions the kind's topic has; LogUnavailableError where nobody says."""
        ...

    async def append(self, frames: Sequence[Frame], partition: int) -> None:
        """Appends frames of one kind in order and returns once all are durable.

        LogUnavailableError if that is not known. No frame is ever in the log before the frames that
        precede it, whatever fails: a reader's high-water mark relies on it.
        """
        ...

    async def close(self) -> None:
        """Ends the connection; what was not confirmed stays with the caller."""
        ...
