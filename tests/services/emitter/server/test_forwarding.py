import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.domain.ports import LogUnavailableError
from services.emitter.server.forwarding import MAX_IN_FLIGHT, Forwarder
from services.kernel.clock import ManualClock
from tests.contracts.spool import LINGER_SECONDS, MAX_EVENTS, drained, event_ids, events, spool_file
from tests.fakes.emitter_ports import MemoryLog, MemorySpool

KIND = Kind.GENERATION


class World:
    """A forwarder between a spool and a log, whose pauses turn the clock instead of waiting."""

    def __init__(self, producer_id: int = 6) -> None:
        self.clock = ManualClock()
        spool = spool_file(Path(), spool_max_bytes=10**6, spool_max_age_seconds=10**6)
        self.spool = MemorySpool(spool, self.clock, producer_id=producer_id)
        self.log = MemoryLog()
        self.pauses: list[float] = []
        self.forwarder = Forwarder(
            self.spool, self.log, clock=self.clock, poll_seconds=lambda _kind: 0.125, sleep=self._sleep
        )

    def logged(self, kind: Kind = KIND) -> list[Frame]:
        return self.log.records(kind, self.spool.producer_id % 4)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0)


def first_sent(frames: list[Frame]) -> list[Frame]:
    """The frames as a reader with a high-water mark takes them."""
    taken: list[Frame] = []
    for frame in frames:
        if not taken or frame.first_sequence > taken[-1].last_sequence:
            taken.append(frame)
    return taken


async def test_a_step_moves_what_is_due_and_forgets_it() -> None:
    world = World()
    await world.spool.take(events(range(1, 12)))
    assert await world.forwarder.step(KIND) == 2 * MAX_EVENTS
    assert event_ids(world.logged()) == list(range(1, 11))
    assert world.spool.state.events == 1


async def test_a_step_with_nothing_due_moves_nothing() -> None:
    world = World()
    assert await world.forwarder.step(KIND) == 0
    await world.spool.take(events([1]))
    assert await world.forwarder.step(KIND) == 0
    world.clock.advance(LINGER_SECONDS)
    assert await world.forwarder.step(KIND) == 1


async def test_a_kind_of_which_nothing_waits_costs_the_spool_no_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    await world.spool.take(events([1]))
    asked: list[Kind] = []
    frames = world.spool.frames

    async def note(kind: Kind, *, limit: int, is_draining: bool = False) -> Sequence[Frame]:
        asked.append(kind)
        return await frames(kind, limit=limit, is_draining=is_draining)

    monkeypatch.setattr(world.spool, "frames", note)
    for kind in Kind:
        await world.forwarder.step(kind)
    assert asked == [KIND]


async def test_no_more_than_the_limit_is_in_flight() -> None:
    world = World()
    for first in range(0, 200, 20):
        await world.spool.take(events(range(first, first + 20)))
    assert await world.forwarder.step(KIND) == min(200 // MAX_EVENTS, MAX_IN_FLIGHT) * MAX_EVENTS


async def test_what_the_log_did_not_confirm_stays_and_is_sent_again_byte_for_byte() -> None:
    world = World()
    await world.spool.take(events(range(1, 11)))
    world.log.failures = [2]
    with pytest.raises(LogUnavailableError):
        await world.forwarder.step(KIND)
    assert world.spool.state.events == 10
    await world.forwarder.step(KIND)
    sent = world.logged()
    assert [frame.value for frame in sent[:2]] == [frame.value for frame in sent[2:]]


async def test_the_partition_is_chosen_once() -> None:
    world = World(producer_id=6)
    await world.spool.take(events(range(1, 6)))
    await world.forwarder.step(KIND)
    assert await world.spool.partition(KIND) == 2
    world.log._partition_count = 5
    await world.spool.take(events(range(6, 11)))
    await world.forwarder.step(KIND)
    assert [frame.first_sequence for frame in world.log.records(KIND, 2)] == [1, 6]


async def test_draining_sends_all_kinds_and_ends() -> None:
    world = World()
    await world.spool.take([*events([1, 2]), *events([3], Kind.ADMISSION), *events([4], Kind.EDGE_REQUEST)])
    running = asyncio.create_task(world.forwarder.run())
    await world.forwarder.drain(running, 5)
    assert running.done()
    assert not running.cancelled()
    assert world.spool.state.events == 0
    assert event_ids(world.logged()) == [1, 2]
    assert event_ids(world.logged(Kind.ADMISSION)) == [3]


async def test_draining_does_not_wait_for_the_end_of_a_sleep() -> None:
    world = World()
    asleep = asyncio.Event()

    async def sleep_for_ever(_: float) -> None:
        asleep.set()
        await asyncio.Event().wait()

    world.forwarder = Forwarder(
        world.spool, world.log, clock=world.clock, poll_seconds=lambda _kind: 30, sleep=sleep_for_ever
    )
    running = asyncio.create_task(world.forwarder.run())
    await asyncio.wait_for(asleep.wait(), 5)
    await world.spool.take(events([1]))
    await world.forwarder.drain(running, 5)
    assert event_ids(world.logged()) == [1]


async def test_draining_ends_in_time_although_the_log_is_away() -> None:
    world = World()
    await world.spool.take(events([1, 2]))
    world.log.failures = [0] * 1_000_000
    running = asyncio.create_task(world.forwarder.run())
    await world.forwarder.drain(running, 0.05)
    assert running.cancelled()
    assert world.spool.state.events == 2


async def test_failures_are_followed_by_growing_pauses_and_said_once_with_their_end_and_number() -> None:
    world = World()
    await world.spool.take(events([1]))
    world.log.failures = [0] * 9
    with structlog.testing.capture_logs() as lines:
        running = asyncio.create_task(world.forwarder.run())
        await world.forwarder.drain(running, 5)
    assert [frame.count for frame in world.logged()] == [1]
    pauses = world.pauses
    assert len(pauses) == 9
    assert pauses[-1] > 10 * pauses[0]
    told = [(line["event"], line.get("error_type"), line.get("count")) for line in lines]
    assert told == [("forwarding_failed", "LogUnavailableError", None), ("forwarding_works_again", None, 9)]
    assert lines[-1]["duration_seconds"] == pytest.approx(sum(pauses), abs=0.001)


class PassingClock(ManualClock):
    """A clock that moves whenever it is read, and knows when that was."""

    def __init__(self) -> None:
        super().__init__()
        self.read_at = list[float]()

    def monotonic_seconds(self) -> float:
        self.advance(0.01)
        self.read_at.append(super().monotonic_seconds())
        return self.read_at[-1]


async def test_the_turns_of_all_kinds_fall_together_whenever_each_began_to_wait() -> None:
    world, clock, waits, all_wait = World(), PassingClock(), list[float](), asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == len(Kind):
            all_wait.set()
        await asyncio.Event().wait()

    forwarder = Forwarder(world.spool, world.log, clock=clock, poll_seconds=lambda _kind: 0.5, sleep=sleep)
    running = asyncio.create_task(forwarder.run())
    await asyncio.wait_for(all_wait.wait(), 5)
    turns = {round(since + wait, 6) for since, wait in zip(clock.read_at, waits, strict=True)}
    assert turns == {1_000.5}
    await forwarder.drain(running, 5)


@settings(max_examples=50)
@given(
    st.lists(st.integers(0, 12), max_size=30),
    st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=30),
)
def test_whatever_fails_a_reader_gets_every_event_once_and_in_order(
    calls: list[int], failures: list[int | None]
) -> None:
    async def scenario() -> None:
        world = World()
        number = 0
        for index, count in enumerate(calls):
            await world.spool.take(events(range(number, number + count)))
            number += count
            world.clock.advance(LINGER_SECONDS)
            failure = failures[index] if index < len(failures) else None
            world.log.failures = [] if failure is None else [failure]
            try:
                await world.forwarder.step(KIND)
            except LogUnavailableError:
                continue
        world.log.failures = []
        running = asyncio.create_task(world.forwarder.run())
        await world.forwarder.drain(running, 5)
        assert event_ids(first_sent(world.logged())) == list(range(number))
        assert not await drained(world.spool)

    asyncio.run(scenario())
