import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pipelines.usage.consumer import Ports, UsageConsumer
from pipelines.usage.domain.errors import BadFrameError, Fault, NotOwnerError, UnavailableError
from pipelines.usage.domain.frame import Kind
from pipelines.usage.domain.ports import Partition
from pipelines.usage.domain.progress import CommitPolicy
from pipelines.usage.domain.rules import Rules
from pipelines.usage.domain.validation import Residence
from pipelines.usage.wire import STREAMS
from services.runtime.clock import ManualClock
from tests.pipelines.usage.frames import DAY_MICROSECONDS, NOW_MICROSECONDS, PRODUCER, REGION, value
from tests.pipelines.usage.memory import MemoryDeadLetters, MemoryLog, MemoryMeter, MemorySource, MemoryStore

GENERATIONS = [Partition(STREAMS[Kind.GENERATION].topic, number) for number in range(2)]
ADMISSIONS = Partition(STREAMS[Kind.ADMISSION].topic, 0)
BOUND_SECONDS = 10.0


class KilledError(BaseException):
    """The process died here."""


class World:
    """A log and a store that outlive consumers, and a way to interfere with each call on a port."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.store = MemoryStore()
        self.dead_letters = MemoryDeadLetters()
        self.meter = MemoryMeter()
        self.clock = ManualClock(wall_microseconds=NOW_MICROSECONDS)
        self.source: MemorySource
        self.healths: list[bool] = []
        self.interfere: Callable[[str, bool], None] = lambda _call, _is_after: None

    async def consume(
        self,
        *,
        dead_letters_in_a_row: int = 100,
        every_frames: int = 2,
        most_uncommitted_frames: int = 1_000,
    ) -> None:
        """Runs one consumer until the log is read to its end."""
        stop = asyncio.Event()
        self.source = MemorySource(self.log, on_empty=stop.set, clock=self.clock)
        for port, name in ((self.source, "poll"), (self.source, "commit"), (self.source, "idle")):
            self._tap(port, name)
        ports = Ports(
            self.source,
            self._tapped_copy(self.store, "insert"),
            self._tapped_copy(self.dead_letters, "put"),
            self.meter,
            self.clock,
        )
        rules = Rules(
            residence=Residence(REGION, 30),
            commit=CommitPolicy(every_frames, 1.0, most_uncommitted_frames),
            dead_letters_in_a_row=dead_letters_in_a_row,
            release_seconds=1.0,
            retry_first_seconds=0.01,
            retry_most_seconds=0.05,
        )

        async def on_health(is_healthy: bool) -> None:
            self.healths.append(is_healthy)
            if not is_healthy:
                stop.set()

        async with asyncio.timeout(BOUND_SECONDS):
            await UsageConsumer(ports, rules).run(stop, prepare=(), on_health=on_health)

    def _tap(self, port: Any, name: str) -> None:
        call: Callable[..., Awaitable[object]] = getattr(port, name)

        async def tapped(*arguments: object) -> object:
            self.interfere(name, False)
            await asyncio.sleep(0)  # as a real call would, it lets others run
            result = await call(*arguments)
            self.interfere(name, True)
            return result

        setattr(port, name, tapped)

    def _tapped_copy(self, port: Any, name: str) -> Any:
        call: Callable[..., Awaitable[object]] = getattr(port, name)
        copy = type("Tapped", (), {name: staticmethod(call)})()
        self._tap(copy, name)
        return copy

    async def fill(self) -> None:
        """Frames of two kinds on three partitions, with doubles at other offsets and bad ones between."""
        for place, producer in zip(GENERATIONS, (PRODUCER, PRODUCER + 1), strict=True):
            frames = [value(first=first, producer_id=producer) for first in range(1, 16, 3)]
            yesterday = NOW_MICROSECONDS - DAY_MICROSECONDS
            frames.append(value(first=16, producer_id=producer, started_at_microseconds=yesterday))
            await self.log.append(place, frames[0], b"broken", *frames, frames[2], value(region=9), frames[5])
        await self.log.append(ADMISSIONS, value(Kind.ADMISSION), value(Kind.GENERATION))

    async def assert_exact(self) -> None:
        """Every event of `fill` once, every bad position in the dead letters, all offsets committed."""
        expected = [(producer, n) for producer in (PRODUCER, PRODUCER + 1) for n in range(1, 19)]
        assert await self.store.rows(Kind.GENERATION) == expected
        assert await self.store.rows(Kind.ADMISSION) == [(PRODUCER, n) for n in (1, 2, 3)]
        assert await self.letters() == {
            (GENERATIONS[0].topic, 0, 1): "header_truncated",
            (GENERATIONS[0].topic, 1, 1): "header_truncated",
            (GENERATIONS[0].topic, 0, 9): "region_wrong",
            (GENERATIONS[0].topic, 1, 9): "region_wrong",
            (ADMISSIONS.topic, 0, 1): "kind_wrong",
        }
        assert self.log.committed == {place: len(values) for place, values in self.log.records.items()}

    async def letters(self) -> dict[tuple[object, object, object], object]:
        """The reason of each position in the dead letters."""
        letters = await self.dead_letters.letters()
        return {(it["topic"], it["partition"], it["offset"]): it["reason_name"] for _, it in letters}


@pytest.fixture
async def world() -> World:
    filled = World()
    await filled.fill()
    return filled


def interfere_with(
    name: str, failures: int, error: Callable[[], BaseException], *, is_after: bool = False
) -> Callable[[str, bool], None]:
    """Makes the first `failures` calls named `name` fail, before or after they had their effect."""
    left = itertools.count(failures, -1)

    def interfere(call: str, after: bool) -> None:
        if call == name and after is is_after and next(left) > 0:
            raise error()

    return interfere


async def test_frames_become_rows_once_and_bad_ones_dead_letters(world: World) -> None:
    await world.consume()
    await world.assert_exact()
    assert world.healths == [True]


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


async def test_a_frame_that_the_store_refuses_is_a_dead_letter_with_the_stores_code(world: World) -> None:
    world.interfere = interfere_with("insert", 1, lambda: BadFrameError(Fault.STORE_REFUSED, store_code=469))
    await world.consume()
    refused = [it for _, it in await world.dead_letters.letters() if it["reason_name"] == "store_refused"]
    assert [(it["offset"], it["store_code"]) for it in refused] == [(0, 469)]


async def test_after_a_rebalance_uncommitted_progress_is_forgotten_and_read_again(world: World) -> None:
    world.interfere = interfere_with("commit", 1, NotOwnerError)
    await world.consume()
    await world.consume()
    await world.assert_exact()


async def test_expired_frames_are_dead_letters_that_never_stop_the_consumer(world: World) -> None:
    old = NOW_MICROSECONDS - 40 * DAY_MICROSECONDS
    world.log.records.clear()
    await world.log.append(
        ADMISSIONS, *(value(Kind.ADMISSION, started_at_microseconds=old) for _ in range(9))
    )
    await world.consume(dead_letters_in_a_row=2)
    assert set((await world.letters()).values()) == {"expired"}
    assert world.healths == [True]
    assert world.log.committed == {ADMISSIONS: 9}


async def test_too_many_bad_frames_in_a_row_stop_the_consumer_and_say_so(world: World) -> None:
    world.log.records.clear()
    await world.log.append(ADMISSIONS, value(Kind.ADMISSION), *[b"x"] * 9)
    await world.consume(dead_letters_in_a_row=3)
    assert world.healths == [True, False]
    assert len(await world.letters()) == 4
    assert world.log.committed == {ADMISSIONS: 5}


async def test_a_good_frame_between_bad_ones_keeps_the_consumer_going(world: World) -> None:
    world.log.records.clear()
    pattern = [b"x", b"x", value(Kind.ADMISSION)]
    await world.log.append(ADMISSIONS, *pattern * 5)
    await world.consume(dead_letters_in_a_row=2)
    assert world.healths == [True]


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
    ports = Ports(source, world.store, world.dead_letters, world.meter, world.clock)
    rules = Rules(Residence(REGION, 30), CommitPolicy(), 1, 1.0, 0.001, 0.002)

    async def on_health(_is_healthy: bool) -> None:
        return

    async with asyncio.timeout(BOUND_SECONDS):
        await UsageConsumer(ports, rules).run(stop, prepare=(prepare,), on_health=on_health)
    assert next(attempts) == 5

    async def never() -> None:
        stop.set()
        raise UnavailableError("OperationalError")

    stop.clear()
    slow = Rules(Residence(REGION, 30), CommitPolicy(), 1, 1.0, 3600.0, 3600.0)
    async with asyncio.timeout(BOUND_SECONDS):
        await UsageConsumer(ports, slow).run(stop, prepare=(never,), on_health=on_health)
