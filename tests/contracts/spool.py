"""What every `Spool` of the emitter must do; a test class inherits it and brings the fixture `spool`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.domain.limits import SpoolFile
from services.emitter.domain.ports import Spool
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from tests.contracts.frames import read

MAX_BYTES = 4_000
MAX_AGE_SECONDS = 100.0
LINGER_SECONDS = 0.2
MAX_EVENTS = 5
REMEMBER_IDS_SECONDS = 60.0


def spool_file(folder: Path, **changes: Any) -> SpoolFile:
    """The limits that the contract counts on, some smaller than a person may set them."""
    described = {
        "durability": "process",
        "frame_max_events": MAX_EVENTS,
        "frame_linger_seconds": LINGER_SECONDS,
        "spool_max_bytes": MAX_BYTES,
        "spool_max_age_seconds": MAX_AGE_SECONDS,
        "remember_event_ids_seconds": REMEMBER_IDS_SECONDS,
    }
    return SpoolFile(spool_folder=folder).model_copy(update={**described, **changes})


class NumberedEvent:
    """An event whose bytes say its id, producer and sequence."""

    def __init__(self, number: int, kind: Kind = Kind.GENERATION, size_bytes: int = 60) -> None:
        self.kind = kind
        self.event_id = number.to_bytes(16, "big")
        self.size_bytes = size_bytes
        self.is_awaited = kind is Kind.ADMISSION

    def numbered(self, producer_id: int, sequence: int) -> bytes:
        return b"%d:%d:%s" % (producer_id, sequence, self.event_id)


def events(numbers: Sequence[int], kind: Kind = Kind.GENERATION) -> list[NumberedEvent]:
    return [NumberedEvent(number, kind) for number in numbers]


def bodies(frame: Frame) -> list[bytes]:
    """The events in a frame whose events are shorter than 128 bytes."""
    found, rest = [], frame.body
    while rest:
        found.append(rest[2 : 2 + rest[1]])
        rest = rest[2 + rest[1] :]
    return found


def event_ids(frames: Sequence[Frame]) -> list[int]:
    return [int.from_bytes(body[-16:], "big") for frame in frames for body in bodies(frame)]


async def drained(spool: Spool, kind: Kind = Kind.GENERATION) -> Sequence[Frame]:
    return await spool.frames(kind, limit=100, is_draining=True)


class SpoolContract:
    """Inherit, and define the fixtures `spool` (a Spool of `spool_file`) and `clock` (its ManualClock)."""

    async def test_what_was_taken_comes_back_in_frames_with_sequences_from_1(self, spool: Spool) -> None:
        taken = await spool.take(events(range(10, 17)))
        frames = await drained(spool)
        assert taken == (7, 0)
        assert [(frame.first_sequence, frame.count) for frame in frames] == [(1, 5), (6, 2)]
        assert event_ids(frames) == list(range(10, 17))
        sequences = [int(body.split(b":")[1]) for frame in frames for body in bodies(frame)]
        assert sequences == list(range(1, 8))
        assert all(read(frame.value) == frame for frame in frames)
        assert {frame.producer_id for frame in frames} == {spool.producer_id}

    async def test_an_event_that_was_taken_before_is_dropped_and_counted(self, spool: Spool) -> None:
        await spool.take(events([1, 2]))
        assert await spool.take(events([2, 3, 3, 1])) == (1, 3)
        assert event_ids(await drained(spool)) == [1, 2, 3]

    async def test_an_event_id_counts_for_all_kinds_together(self, spool: Spool) -> None:
        await spool.take(events([1]))
        assert await spool.take(events([1], Kind.ADMISSION)) == (0, 1)

    async def test_an_event_is_still_known_after_its_frame_was_removed(self, spool: Spool) -> None:
        await spool.take(events([1]))
        await spool.remove((await drained(spool))[-1])
        assert await spool.take(events([1])) == (0, 1)
        assert spool.state.events == 0

    async def test_an_event_is_known_for_at_least_the_window(self, spool: Spool, clock: ManualClock) -> None:
        await spool.take(events([1]))
        clock.advance(REMEMBER_IDS_SECONDS)
        assert await spool.take(events([1])) == (0, 1)

    async def test_an_event_id_is_forgotten_some_time_after_the_window(
        self, spool: Spool, clock: ManualClock
    ) -> None:
        for number in (1, 2, 3):
            await spool.take(events([number]))
            await spool.remove((await drained(spool))[-1])
            clock.advance(REMEMBER_IDS_SECONDS)
        assert await spool.take(events([1])) == (1, 0)

    async def test_an_outage_does_not_age_event_ids(self, spool: Spool, clock: ManualClock) -> None:
        await spool.take(events([1]))
        await spool.remove((await drained(spool))[-1])
        clock.advance(100 * REMEMBER_IDS_SECONDS)
        await spool.take(events([2]))
        clock.advance(REMEMBER_IDS_SECONDS - 1)
        assert await spool.take(events([3, 1])) == (1, 1)

    async def test_a_clock_that_is_set_back_does_not_make_events_new(
        self, spool: Spool, clock: ManualClock
    ) -> None:
        await spool.take(events([1]))
        clock.advance(-REMEMBER_IDS_SECONDS)
        assert await spool.take(events([1])) == (0, 1)

    async def test_a_time_of_day_that_jumps_back_and_forth_makes_no_event_new(
        self, spool: Spool, clock: ManualClock
    ) -> None:
        await spool.take(events([1]))
        await spool.remove((await drained(spool))[-1])
        for number in range(2, 8):
            clock.set_wall(clock.wall_microseconds() + (-1) ** number * 40 * 86_400_000_000)
            assert await spool.take(events([number])) == (1, 0)
            await spool.remove((await drained(spool))[-1])
        assert await spool.take(events(range(1, 8))) == (0, 7)

    async def test_kinds_do_not_mix_and_each_counts_from_1(self, spool: Spool) -> None:
        await spool.take([*events([1, 2], Kind.ADMISSION), *events([3], Kind.REPLICA_LOAD)])
        admissions = await drained(spool, Kind.ADMISSION)
        loads = await drained(spool, Kind.REPLICA_LOAD)
        assert [event_ids(admissions), event_ids(loads)] == [[1, 2], [3]]
        assert [admissions[0].first_sequence, loads[0].first_sequence] == [1, 1]
        assert [admissions[0].kind, loads[0].kind] == [Kind.ADMISSION, Kind.REPLICA_LOAD]

    async def test_a_full_frame_is_sealed_at_once(self, spool: Spool) -> None:
        await spool.take(events(range(MAX_EVENTS + 1)))
        frames = await spool.frames(Kind.GENERATION, limit=10)
        assert [frame.count for frame in frames] == [MAX_EVENTS]

    async def test_a_small_frame_is_sealed_when_its_oldest_event_is_old_enough(
        self, spool: Spool, clock: ManualClock
    ) -> None:
        await spool.take(events([1]))
        assert not await spool.frames(Kind.GENERATION, limit=10)
        clock.advance(LINGER_SECONDS)
        assert [frame.count for frame in await spool.frames(Kind.GENERATION, limit=10)] == [1]

    async def test_the_bytes_of_a_sealed_frame_never_change(self, spool: Spool, clock: ManualClock) -> None:
        await spool.take(events([1, 2]))
        first = await drained(spool)
        await spool.take(events([3, 4]))
        clock.advance(LINGER_SECONDS)
        assert (await drained(spool))[: len(first)] == first

    async def test_at_most_the_limit_of_frames_comes_back_the_oldest_first(self, spool: Spool) -> None:
        await spool.take(events(range(1, 4 * MAX_EVENTS + 1)))
        frames = await spool.frames(Kind.GENERATION, limit=2)
        assert [frame.first_sequence for frame in frames] == [1, MAX_EVENTS + 1]

    async def test_removing_a_frame_forgets_it_and_what_precedes_it_and_nothing_else(
        self, spool: Spool
    ) -> None:
        await spool.take([*events(range(1, 16)), *events([20], Kind.ADMISSION)])
        frames = await drained(spool)
        await spool.remove(frames[1])
        assert await drained(spool) == frames[2:]
        assert event_ids(await drained(spool, Kind.ADMISSION)) == [20]

    async def test_removing_a_frame_again_changes_nothing(self, spool: Spool) -> None:
        await spool.take(events(range(1, 16)))
        frames = await drained(spool)
        await spool.remove(frames[1])
        await spool.remove(frames[0])
        assert await drained(spool) == frames[2:]
        assert spool.state.events == MAX_EVENTS

    async def test_sequences_go_on_after_everything_was_removed(self, spool: Spool) -> None:
        await spool.take(events([1, 2]))
        await spool.remove((await drained(spool))[-1])
        await spool.take(events([3]))
        assert [frame.first_sequence for frame in await drained(spool)] == [3]

    async def test_its_state_tells_what_waits(self, spool: Spool, clock: ManualClock) -> None:
        assert spool.state == (spool.state.__class__)(0, 0, 0)
        began = clock.wall_microseconds()
        await spool.take(events([1, 2, 3]))
        clock.advance(7)
        await spool.take(events([4], Kind.ADMISSION))
        assert spool.state.events == 4
        assert spool.state.oldest_at_microseconds == began
        assert spool.state.age_seconds(clock.wall_microseconds()) == 7
        frames = await drained(spool)
        admissions = await drained(spool, Kind.ADMISSION)
        assert spool.state.size_bytes == sum(len(frame.value) for frame in [*frames, *admissions])
        await spool.remove(frames[-1])
        assert spool.state.age_seconds(clock.wall_microseconds()) == 0
        await spool.remove(admissions[-1])
        assert (spool.state.events, spool.state.size_bytes, spool.state.oldest_at_microseconds) == (0, 0, 0)

    async def test_a_call_that_would_pass_the_limit_of_bytes_is_refused_whole(self, spool: Spool) -> None:
        await spool.take(events([1]))
        too_much = [NumberedEvent(number, size_bytes=MAX_BYTES // 2) for number in (2, 3)]
        with pytest.raises(ComptoirError) as refusal:
            await spool.take(too_much)
        assert refusal.value.reason is Reason.SPOOL_FULL
        assert refusal.value.retry_after_seconds > 0
        assert event_ids(await drained(spool)) == [1]
        assert await spool.take(events([2, 3])) == (2, 0)

    async def test_nothing_is_taken_while_the_oldest_event_is_too_old(
        self, spool: Spool, clock: ManualClock
    ) -> None:
        await spool.take(events([1]))
        clock.advance(MAX_AGE_SECONDS + 1)
        with pytest.raises(ComptoirError) as refusal:
            await spool.take(events([2]))
        assert refusal.value.reason is Reason.SPOOL_FULL
        await spool.remove((await drained(spool))[-1])
        assert await spool.take(events([2])) == (1, 0)

    async def test_a_full_spool_still_acknowledges_what_it_has(self, spool: Spool) -> None:
        await spool.take([NumberedEvent(1, size_bytes=10)])
        while spool.state.size_bytes < MAX_BYTES - 100:
            await spool.take([NumberedEvent(spool.state.size_bytes + 1000, size_bytes=10)])
        assert await spool.take([NumberedEvent(1, size_bytes=MAX_BYTES)]) == (0, 1)

    async def test_a_partition_is_remembered_for_its_kind(self, spool: Spool) -> None:
        assert await spool.partition(Kind.GENERATION) is None
        await spool.choose_partition(Kind.GENERATION, 3)
        await spool.take(events([1]))
        assert await spool.partition(Kind.GENERATION) == 3
        assert await spool.partition(Kind.ADMISSION) is None

    async def test_an_empty_call_takes_nothing(self, spool: Spool) -> None:
        assert await spool.take([]) == (0, 0)
        assert not await drained(spool)
