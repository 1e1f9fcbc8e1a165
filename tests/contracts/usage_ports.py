"""What every log, store and dead-letter topic of the usage pipeline does; subclasses give the fixtures."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from pipelines.usage.domain.dead_letter import DeadLetter
from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.frame import Kind, decode
from pipelines.usage.domain.ports import DeadLetters, EventStore, FrameSource, Partition
from pipelines.usage.wire import STREAMS
from tests.pipelines.usage.frames import (
    DAY_MICROSECONDS,
    PRODUCER,
    body,
    event,
    pack,
    value,
)

BOUND_SECONDS = 30.0


class Rows(Protocol):
    """Reads back what a store holds."""

    def __call__(self, kind: Kind) -> Awaitable[list[tuple[int, int]]]: ...


class EventStoreContract:
    """Needs `store` and `rows`, empty at first, and `now` in microseconds, a day before which is retained."""

    async def test_every_kind_has_its_table(self, store: EventStore, rows: Rows, now: int) -> None:
        for kind in Kind:
            await store.insert(decode(value(kind, count=2, started_at_microseconds=now), kind=kind))
        for kind in Kind:
            assert await rows(kind) == [(PRODUCER, 1), (PRODUCER, 2)]

    async def test_the_same_frame_is_taken_once_however_often_it_comes(
        self, store: EventStore, rows: Rows, now: int
    ) -> None:
        frames = [
            decode(value(first=first, started_at_microseconds=now), kind=Kind.GENERATION)
            for first in (1, 4, 7)
        ]
        for frame in (*frames, *reversed(frames), frames[1]):
            await store.insert(frame)
        assert await rows(Kind.GENERATION) == [(PRODUCER, sequence) for sequence in range(1, 10)]

    async def test_a_frame_over_two_days_is_taken_once_too(
        self, store: EventStore, rows: Rows, now: int
    ) -> None:
        starts = [now, now - DAY_MICROSECONDS]
        events = [
            event(Kind.GENERATION, n, started_at_microseconds=start)
            for n, start in enumerate(starts, start=1)
        ]
        frame = decode(pack(Kind.GENERATION, body(Kind.GENERATION, events), count=2), kind=Kind.GENERATION)
        for _ in range(3):
            await store.insert(frame)
        assert await rows(Kind.GENERATION) == [(PRODUCER, 1), (PRODUCER, 2)]

    async def test_equal_sequences_of_other_producers_are_other_rows(
        self, store: EventStore, rows: Rows, now: int
    ) -> None:
        for producer in (1, 2**64 - 1):
            frame = decode(
                value(count=1, producer_id=producer, started_at_microseconds=now), kind=Kind.GENERATION
            )
            await store.insert(frame)
        assert await rows(Kind.GENERATION) == [(1, 1), (2**64 - 1, 1)]

    async def test_inserts_side_by_side_do_not_disturb_one_another(
        self, store: EventStore, rows: Rows, now: int
    ) -> None:
        frames = [
            decode(value(first=first, started_at_microseconds=now), kind=Kind.GENERATION)
            for first in range(1, 25, 3)
        ]
        await asyncio.gather(*(store.insert(frame) for frame in frames * 2))
        assert await rows(Kind.GENERATION) == [(PRODUCER, sequence) for sequence in range(1, 25)]


class LogUnderTest(Protocol):
    """A log that the test fills."""

    async def append(self, partition: Partition, *values: bytes) -> None: ...


async def nothing() -> None:
    """A release that has nothing to finish."""


async def read(source: FrameSource, count: int) -> list[tuple[Partition, int, bytes]]:
    """Polls until `count` records came."""
    found: list[tuple[Partition, int, bytes]] = []
    async with asyncio.timeout(BOUND_SECONDS):
        while len(found) < count:
            for records in (await source.poll()).values():
                found += [(record.partition, record.offset, record.value) for record in records]
    return found


class FrameSourceContract:
    """Needs `log` and `make_source`; all sources that it makes are in one group."""

    PLACE = Partition(STREAMS[Kind.GENERATION].topic, 0)

    async def test_a_new_group_reads_from_the_beginning(
        self, log: LogUnderTest, make_source: Callable[[], FrameSource]
    ) -> None:
        await log.append(self.PLACE, b"a", b"b", b"c", b"d")
        source = make_source()
        await source.start(nothing)
        assert await read(source, 4) == [(self.PLACE, n, bytes([97 + n])) for n in range(4)]
        await source.stop()

    async def test_the_next_member_reads_on_from_what_was_committed_and_not_from_what_was_read(
        self, log: LogUnderTest, make_source: Callable[[], FrameSource]
    ) -> None:
        await log.append(self.PLACE, b"a", b"b", b"c")
        source = make_source()
        await source.start(nothing)
        await read(source, 3)
        await source.commit({self.PLACE: 1})
        await source.stop()
        successor = make_source()
        await successor.start(nothing)
        assert [offset for _, offset, _ in await read(successor, 2)] == [1, 2]
        await successor.stop()

    async def test_waiting_takes_no_record_and_loses_none(
        self, log: LogUnderTest, make_source: Callable[[], FrameSource]
    ) -> None:
        await log.append(self.PLACE, b"a")
        source = make_source()
        await source.start(nothing)
        await read(source, 1)
        await source.idle(0.05)
        await log.append(self.PLACE, b"b")
        await source.idle(0.3)
        assert [offset for _, offset, _ in await read(source, 1)] == [1]
        assert source.is_member
        assert source.lag_frames() == 0
        await source.stop()


class DeadLettersContract:
    """Needs `dead_letters`, started, and `letters`, which reads back."""

    async def test_a_letter_keeps_position_and_reason(
        self,
        dead_letters: DeadLetters,
        letters: Callable[[], Awaitable[list[tuple[bytes, dict[str, object]]]]],
    ) -> None:
        await dead_letters.put(DeadLetter("comptoir.generation.v1", 2, 77, 40, Fault.STORE_REFUSED, 444))
        ((key, content),) = await letters()
        assert key == b"comptoir.generation.v1:2:77"
        assert content == {
            "letter_version": 1,
            "reason": 17,
            "reason_name": "store_refused",
            "topic": "comptoir.generation.v1",
            "partition": 2,
            "offset": 77,
            "length_bytes": 40,
            "store_code": 444,
        }
