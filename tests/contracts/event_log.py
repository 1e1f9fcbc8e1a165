"""What every `EventLog` of the emitter must do; a test class inherits it and brings `log` and `read`."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from services.contract.events import Kind
from services.contract.frame import Frame, seal
from services.emitter.domain.ports import EventLog, LogUnavailableError
from tests.contracts.frames import read as read_frame

# Reads a kind's partition from its beginning: the values, in order.
Read = Callable[[Kind, int], Awaitable[list[bytes]]]

PRODUCER_ID = 0xFEDCBA9876543210


def some_frames(kind: Kind, first: int, count: int, *, event_bytes: int = 20) -> list[Frame]:
    """Frames of one event each, `first` the first one's sequence."""
    return [
        seal(kind, PRODUCER_ID, sequence, [sequence.to_bytes(8, "big") * (event_bytes // 8)])
        for sequence in range(first, first + count)
    ]


def values(frames: Sequence[Frame]) -> list[bytes]:
    return [frame.value for frame in frames]


class EventLogContract:
    """Inherit, and define the fixtures `log` (an EventLog with empty topics) and `read`."""

    async def test_frames_are_in_the_log_in_order_once_append_returns(
        self, log: EventLog, read: Read
    ) -> None:
        first, second = some_frames(Kind.GENERATION, 1, 5), some_frames(Kind.GENERATION, 6, 1)
        await log.append(first, 1)
        assert await read(Kind.GENERATION, 1) == values(first)
        await log.append(second, 1)
        assert await read(Kind.GENERATION, 1) == values([*first, *second])

    async def test_kinds_and_partitions_are_apart(self, log: EventLog, read: Read) -> None:
        admissions, loads = some_frames(Kind.ADMISSION, 1, 2), some_frames(Kind.REPLICA_LOAD, 1, 3)
        await log.append(admissions, 0)
        await log.append(loads, 1)
        assert await read(Kind.ADMISSION, 0) == values(admissions)
        assert await read(Kind.REPLICA_LOAD, 1) == values(loads)
        assert await read(Kind.ADMISSION, 1) == []

    async def test_more_than_one_batch_of_bytes_stays_in_order(self, log: EventLog, read: Read) -> None:
        frames = some_frames(Kind.EDGE_REQUEST, 1, 32, event_bytes=64_000)
        await log.append(frames, 0)
        stored = await read(Kind.EDGE_REQUEST, 0)
        assert [read_frame(value).first_sequence for value in stored] == list(range(1, 33))

    async def test_appending_again_stores_the_same_bytes_again(self, log: EventLog, read: Read) -> None:
        frames = some_frames(Kind.GENERATION, 1, 2)
        await log.append(frames, 0)
        await log.append(frames, 0)
        assert await read(Kind.GENERATION, 0) == values([*frames, *frames])

    async def test_a_partition_that_is_not_there_is_unavailable_and_harms_nothing(
        self, log: EventLog, read: Read
    ) -> None:
        frames = some_frames(Kind.GENERATION, 1, 1)
        with pytest.raises(LogUnavailableError):
            await log.append(frames, 99)
        await log.append(frames, 0)
        assert await read(Kind.GENERATION, 0) == values(frames)

    async def test_it_says_how_many_partitions_there_are(self, log: EventLog) -> None:
        assert await log.partitions(Kind.ADMISSION) == 4
