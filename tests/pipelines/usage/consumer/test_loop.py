import asyncio
import itertools

import pytest

from pipelines.usage.consumer.keeper import Ports
from pipelines.usage.consumer.loop import UsageConsumer
from pipelines.usage.consumer.standing import Standing
from pipelines.usage.domain.errors import NotOwnerError, UnavailableError
from pipelines.usage.domain.ports import Partition
from pipelines.usage.domain.rules import Rules, StoreTerms
from services.contract.events import Kind
from services.contract.frame import Frame
from services.kernel.readiness import Unready
from tests.pipelines.usage.frames import PRODUCER, REGION, value
from tests.pipelines.usage.memory import MemoryLag, MemorySource
from tests.pipelines.usage.world import (
    ADMISSIONS,
    BOUND_SECONDS,
    GENERATIONS,
    KilledError,
    World,
    interfere_with,
)


@pytest.fixture
async def world() -> World:
    filled = World()
    await filled.fill()
    return filled


async def test_frames_become_rows_once_and_bad_ones_dead_letters(world: World) -> None:
    await world.consume()
    await world.assert_exact()
    assert world.readiness.is_ready


async def test_what_was_read_is_what_was_inserted_and_what_was_dead_lettered(world: World) -> None:
    await world.consume()
    consumed = sum(len(values) for values in world.log.records.values())
    assert world.meter.frames + len(world.meter.faults) == consumed
    assert world.meter.lag_frames == 0


async def test_a_second_reading_of_the_whole_log_changes_nothing(world: World) -> None:
    await world.consume()
    world.log.committed.clear()
    await world.consume()
    await world.assert_exact()


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
async def test_killed_at_any_call_the_next_consumer_makes_it_exact(is_after: bool) -> None:
    for calls in itertools.count(1):
        world = World()
        await world.fill()
        left = itertools.count(calls, -1)

        def die(_call: str, after: bool, left: "itertools.count[int]" = left) -> None:
            if after is is_after and next(left) == 1:
                raise KilledError

        world.interfere = die
        try:
            await world.consume()
        except KilledError:
            await world.consume()
            await world.assert_exact()
        else:
            assert calls > 30
            return


async def test_killed_again_and_again_the_last_consumer_makes_it_exact(world: World) -> None:
    kills = 0
    while True:
        left = itertools.count(12 + kills, -1)

        def die(_call: str, _is_after: bool, left: "itertools.count[int]" = left) -> None:
            if next(left) == 0:
                raise KilledError

        world.interfere = die
        try:
            await world.consume(every_frames=1)
        except KilledError:
            kills += 1
        else:
            break
    assert kills > 3
    await world.assert_exact()


@pytest.mark.parametrize("is_after", [False, True], ids=["refused", "answer lost"])
@pytest.mark.parametrize("name", ["insert", "put", "commit", "poll"])
async def test_what_is_unavailable_is_tried_again_until_it_works(
    world: World, name: str, is_after: bool
) -> None:
    world.interfere = interfere_with(
        name, 5, lambda: UnavailableError("OperationalError", store_code=210), is_after=is_after
    )
    if name == "poll" and is_after:
        # A poll that fails after the fact loses what it read until the next start.
        await world.consume()
        world.log.committed.clear()
    await world.consume()
    await world.assert_exact()


async def test_while_the_store_is_away_the_consumer_waits_inside_the_group(world: World) -> None:
    world.interfere = interfere_with("insert", 12, lambda: UnavailableError("OperationalError"))
    await world.consume()
    assert world.source.idled_seconds > 0
    await world.assert_exact()


async def test_a_table_that_takes_nothing_stops_no_other_kind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, left = world.store.insert, itertools.count(20, -1)
    meanwhile: list[int] = []

    async def insert_admissions_late(frame: Frame) -> None:
        if frame.kind is Kind.ADMISSION:
            if next(left) > 0:
                raise UnavailableError("DatabaseError", store_code=252)
            meanwhile.append(len(await world.store.rows(Kind.GENERATION)))
        await insert(frame)

    monkeypatch.setattr(world.store, "insert", insert_admissions_late)
    await world.consume()
    assert meanwhile == [36]
    await world.assert_exact()


@pytest.mark.parametrize("every_frames", [2, 1_000])
async def test_while_commits_fail_no_more_is_inserted_than_the_store_recognises(every_frames: int) -> None:
    world = World()
    await world.log.append(ADMISSIONS, *(value(Kind.ADMISSION, first=first) for first in range(1, 61, 3)))
    calls: list[str] = []
    fail = interfere_with("commit", 12, lambda: UnavailableError("KafkaTimeoutError"))

    def fail_and_note(call: str, is_after: bool) -> None:
        fail(call, is_after)
        if is_after:
            calls.append(call)

    world.interfere = fail_and_note
    await world.consume(every_frames=every_frames, most_uncommitted_frames=5)
    assert calls[: calls.index("commit")].count("insert") == 5
    assert world.source.idled_seconds > 0
    assert await world.store.rows(Kind.ADMISSION) == [(PRODUCER, n) for n in range(1, 61)]
    assert world.log.committed == {ADMISSIONS: 20}


async def test_after_a_rebalance_uncommitted_progress_is_forgotten_and_read_again(world: World) -> None:
    world.interfere = interfere_with("commit", 1, NotOwnerError)
    await world.consume()
    await world.consume()
    await world.assert_exact()


async def test_events_that_come_again_in_frames_of_another_size_are_counted_once() -> None:
    """A spool that was damaged after Kafka had its frame sends what is whole of it in smaller ones."""
    world = World()
    place = GENERATIONS[0]
    await world.log.append(place, value(first=1, count=6), value(first=1, count=2), value(first=4, count=3))
    await world.consume()
    assert await world.store.rows(Kind.GENERATION) == [(PRODUCER, n) for n in range(1, 7)]
    # The next process knows it too, and takes of a larger frame what is new.
    await world.log.append(place, value(first=5, count=4), value(first=9, count=1))
    await world.consume()
    assert await world.store.rows(Kind.GENERATION) == [(PRODUCER, n) for n in range(1, 10)]


async def test_frames_that_come_again_after_the_store_forgot_their_tokens_are_counted_once(
    world: World,
) -> None:
    await world.consume()
    world.store.forget_tokens()
    world.log.committed.clear()
    await world.consume()
    await world.assert_exact()


async def test_a_spool_that_was_brought_back_from_a_copy_loses_no_event_to_its_old_sequences() -> None:
    world = World()
    ids = [value(count=2), value(count=3, event_id_high=7)]
    await world.log.append(GENERATIONS[0], *ids)
    await world.consume()
    assert await world.store.rows(Kind.GENERATION) == sorted([(PRODUCER, n) for n in (1, 2, 1, 2, 3)])


async def test_the_store_is_asked_once_per_producer_while_frames_come_in_order() -> None:
    world = World()
    asked: list[str] = []
    world.interfere = lambda call, is_after: asked.append(call) if is_after else None
    await world.log.append(ADMISSIONS, *(value(Kind.ADMISSION, first=first) for first in range(1, 61, 3)))
    await world.consume()
    assert (asked.count("insert"), asked.count("highest_sequence"), asked.count("stored_of")) == (20, 1, 0)


async def test_after_a_rebalance_the_store_is_asked_again_what_another_member_stored_meanwhile() -> None:
    world = World()
    await world.log.append(ADMISSIONS, *(value(Kind.ADMISSION, first=first) for first in range(1, 16, 3)))
    asked: list[str] = []
    refuse = interfere_with("commit", 1, NotOwnerError)

    def refuse_and_note(call: str, is_after: bool) -> None:
        refuse(call, is_after)
        if is_after:
            asked.append(call)

    world.interfere = refuse_and_note
    await world.consume(every_frames=3)
    assert (asked.count("insert"), asked.count("highest_sequence")) == (5, 2)


async def test_too_many_bad_frames_in_a_row_stop_the_consumer_and_say_so(world: World) -> None:
    world.log.records.clear()
    await world.log.append(ADMISSIONS, value(Kind.ADMISSION), *[b"x"] * 9)
    await world.consume(dead_letters_in_a_row=3)
    assert world.readiness.reason is Unready.CORRUPT_FRAMES
    assert len(await world.letters()) == 4
    assert world.log.committed == {ADMISSIONS: 5}


async def test_a_good_frame_between_bad_ones_keeps_the_consumer_going(world: World) -> None:
    world.log.records.clear()
    pattern = [b"x", b"x", value(Kind.ADMISSION)]
    await world.log.append(ADMISSIONS, *pattern * 5)
    await world.consume(dead_letters_in_a_row=2)
    assert world.readiness.is_ready


async def test_before_partitions_go_the_insert_in_flight_is_finished_and_committed(world: World) -> None:
    released: list[dict[Partition, int]] = []

    def release_during_an_insert(call: str, is_after: bool) -> None:
        if call == "insert" and not is_after and not released:
            released.append({})
            assert world.source.release is not None
            task = asyncio.ensure_future(world.source.release())
            task.add_done_callback(lambda _task: released[0].update(world.log.committed))

    world.interfere = release_during_an_insert
    await world.consume(every_frames=1000)
    assert released[0] == dict.fromkeys([*GENERATIONS, ADMISSIONS], 1)
    await world.consume()
    await world.assert_exact()


async def test_start_waits_for_what_is_unavailable_and_stop_ends_the_wait() -> None:
    world = World()
    attempts = itertools.count(1)

    async def prepare() -> None:
        if next(attempts) < 4:
            raise UnavailableError("OperationalError")

    stop = asyncio.Event()
    source = MemorySource(world.log, on_empty=stop.set)
    ports = Ports(source, MemoryLag(world.log), world.store, world.dead_letters, world.meter, world.clock)
    rules, terms = Rules(retry_first_seconds=0.001, retry_most_seconds=0.002), StoreTerms(REGION)

    async with asyncio.timeout(BOUND_SECONDS):
        await UsageConsumer(ports, rules, terms, Standing(rules)).run(stop, prepare=(prepare,))
    assert next(attempts) == 5

    async def never() -> None:
        stop.set()
        raise UnavailableError("OperationalError")

    stop.clear()
    slow = Rules(retry_first_seconds=3600.0, retry_most_seconds=3600.0)
    async with asyncio.timeout(BOUND_SECONDS):
        await UsageConsumer(ports, slow, terms, Standing(slow)).run(stop, prepare=(never,))
