"""What every log, store and dead-letter topic of the usage pipeline does; subclasses give the fixtures."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from pipelines.usage.domain.dead_letter import DeadLetter
from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.frame import EventKey, decode
from pipelines.usage.domain.ports import (
    DeadLetters,
    EventStore,
    FrameSource,
    KindProgress,
    Lag,
    LagGauge,
    Partition,
)
from services.contract.events import Kind
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
    """Needs `store`, `rows` and `dead`, empty at first, and `now` in microseconds; a day ago is retained."""

    async def test_a_dead_letter_is_noted_once_however_often_it_comes(
        self, store: EventStore, dead: Callable[[], Awaitable[list[tuple[int, int, int]]]]
    ) -> None:
        letters = [DeadLetter("comptoir.generation.v1", 2, n, 40, Fault.CHECKSUM_WRONG) for n in (7, 8)]
        for letter in (*letters, *letters):
            await store.note_dead(Kind.GENERATION, letter)
        assert await dead() == [(2, 2, 7), (2, 2, 8)]

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

    async def test_what_of_a_frame_is_stored_is_told_whatever_frame_brought_it(
        self, store: EventStore, now: int
    ) -> None:
        whole, other = (
            decode(value(first=first, started_at_microseconds=now), kind=Kind.GENERATION) for first in (1, 7)
        )
        assert await store.highest_sequence(Kind.GENERATION, PRODUCER) == 0
        assert await store.stored_of(whole) == set()
        await store.insert(whole)
        assert await store.highest_sequence(Kind.GENERATION, PRODUCER) == 3
        assert await store.highest_sequence(Kind.GENERATION, PRODUCER + 1) == 0
        assert await store.highest_sequence(Kind.ADMISSION, PRODUCER) == 0
        assert await store.stored_of(whole) == {EventKey(n, 1, n) for n in (1, 2, 3)}
        part = decode(value(first=3, count=4, started_at_microseconds=now), kind=Kind.GENERATION)
        assert await store.stored_of(part) == {EventKey(3, 1, 3)}
        assert await store.stored_of(other) == set()

    async def test_its_clock_moves_on(self, store: EventStore) -> None:
        first = await store.clock()
        assert first > 1_500_000_000_000_000
        assert await store.clock() >= first

    async def test_progress_is_noted_again_and_again(self, store: EventStore) -> None:
        for waiting in (5, 0):
            await store.note_progress(
                [KindProgress(kind, waiting, 0, Fault.CLOCK_AHEAD, 1, 2) for kind in Kind]
            )


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

    PLACE = Partition(Kind.GENERATION.topic, 0)

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
        await source.stop()

    async def test_a_paused_partition_waits_and_is_read_on_from_where_it_was_rewound_to(
        self, log: LogUnderTest, make_source: Callable[[], FrameSource]
    ) -> None:
        await log.append(self.PLACE, b"a", b"b", b"c")
        source = make_source()
        await source.start(nothing)
        await read(source, 3)
        source.rewind(self.PLACE, 1)
        for _ in range(3):
            assert not await source.poll([self.PLACE])
        assert [offset for _, offset, _ in await read(source, 2)] == [1, 2]
        await source.stop()

    async def test_records_say_when_they_came_and_that_none_was_skipped(
        self, log: LogUnderTest, make_source: Callable[[], FrameSource]
    ) -> None:
        await log.append(self.PLACE, b"a", b"b")
        source = make_source()
        await source.start(nothing)
        async with asyncio.timeout(BOUND_SECONDS):
            while not (polled := await source.poll()):
                pass
        for record in polled[self.PLACE]:
            assert record.skipped == 0
            assert record.stamp is None or record.stamp.microseconds > 1_500_000_000_000_000
        await source.stop()


class LagGaugeContract:
    """Needs `log` and `make_source` as above, and `gauge` for the same group."""

    PLACE = Partition(Kind.GENERATION.topic, 0)

    async def test_it_counts_what_is_not_committed_while_nobody_reads(
        self, log: LogUnderTest, make_source: Callable[[], FrameSource], gauge: LagGauge
    ) -> None:
        await log.append(self.PLACE, b"a", b"b", b"c")
        first = await self.lag(gauge)
        assert first.frames == 3
        source = make_source()
        await source.start(nothing)
        polled = await read(source, 3)
        assert (await self.lag(gauge)).frames == 3
        await source.commit({self.PLACE: polled[0][1] + 1})
        second = await self.lag(gauge)
        assert second.frames == 2
        for lag in (first, second):
            assert lag.oldest is not None
            assert lag.newest is not None
            assert lag.oldest.microseconds <= lag.newest.microseconds
        await source.commit({self.PLACE: polled[2][1] + 1})
        assert await self.lag(gauge) == Lag(self.PLACE, 0, None, None)
        await source.stop()

    async def lag(self, gauge: LagGauge) -> Lag:
        """The measurement of the one partition."""
        return next(lag for lag in await gauge.measure() if lag.partition == self.PLACE)


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
