"""A log and a store that outlive consumers, three clocks, and a way to interfere with each call on a port."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from pipelines.usage.consumer.keeper import Ports
from pipelines.usage.consumer.loop import UsageConsumer
from pipelines.usage.consumer.standing import Standing
from pipelines.usage.consumer.watch import Watch
from pipelines.usage.domain.ports import Partition
from pipelines.usage.domain.rules import Rules, StoreTerms
from services.contract.events import Kind
from services.kernel.clock import ManualClock
from services.kernel.readiness import Readiness
from tests.pipelines.usage.frames import DAY_MICROSECONDS, NOW_MICROSECONDS, PRODUCER, REGION, value
from tests.pipelines.usage.memory import (
    MemoryDeadLetters,
    MemoryLag,
    MemoryLog,
    MemoryMeter,
    MemorySource,
    MemoryStore,
)

GENERATIONS = [Partition(Kind.GENERATION.topic, number) for number in range(2)]
ADMISSIONS = Partition(Kind.ADMISSION.topic, 0)
BOUND_SECONDS = 10.0


def torn() -> bytes:
    """A frame whose last byte was changed on the way."""
    whole = value()
    return whole[:-1] + bytes([whole[-1] ^ 1])


_FRAME_CALLS = ("insert", "highest_sequence", "stored_of")


class KilledError(BaseException):
    """The process died here."""


class World:
    """A log and a store that outlive consumers, and a way to interfere with each call on a port."""

    def __init__(self) -> None:
        self.clock, self.stores_clock, self.brokers_clock = (
            ManualClock(wall_microseconds=NOW_MICROSECONDS) for _ in range(3)
        )
        self.log = MemoryLog(self.brokers_clock)
        self.store = MemoryStore(self.stores_clock)
        self.dead_letters = MemoryDeadLetters()
        self.meter = MemoryMeter()
        self.source: MemorySource
        self.readiness: Readiness
        self.interfere: Callable[[str, bool], None] = lambda _call, _is_after: None
        # So many polls that find nothing end a consumer; seconds pass by the clocks with each.
        self.empty_polls = 1
        self.seconds_per_poll = 0.0

    async def consume(
        self,
        *,
        dead_letters_in_a_row: int = 100,
        every_frames: int = 2,
        most_uncommitted_frames: int = 1_000,
        given_up: tuple[str, ...] = (),
    ) -> None:
        """Runs one consumer until it finds no more to read, or stops reading, and asks how it stands."""
        stop = asyncio.Event()
        left = itertools.count(self.empty_polls - 1, -1)

        def on_empty() -> None:
            for clock in (self.clock, self.stores_clock, self.brokers_clock):
                clock.advance(self.seconds_per_poll)
            # While the store takes nothing, there is more to do than is left to read.
            if standing.failure is None and next(left) <= 0:
                stop.set()

        self.source = MemorySource(self.log, on_empty=on_empty, clock=self.clock)
        for name in ("poll", "commit", "idle"):
            self._tap(self.source, name)
        ports = Ports(
            self.source,
            MemoryLag(self.log),
            self._tapped_copy(self.store, _FRAME_CALLS, "note_dead", "note_progress", "clock"),
            self._tapped_copy(self.dead_letters, ("put",)),
            self.meter,
            self.clock,
        )
        rules = Rules(
            commit_every_frames=every_frames,
            dead_letters_in_a_row=dead_letters_in_a_row,
            release_seconds=1.0,
            retry_first_seconds=0.01,
            retry_most_seconds=0.05,
            given_up=given_up,
        )
        terms = StoreTerms(REGION, most_uncommitted_frames)
        standing = Standing(rules)
        watch = Watch(ports, rules, standing)
        self._stop_when_stopped(standing, stop)
        async with asyncio.timeout(BOUND_SECONDS):
            await UsageConsumer(ports, rules, terms, standing).run(stop, prepare=(watch.ask_store_clock,))
            await watch.measure()
        self.readiness = standing.readiness()

    def _stop_when_stopped(self, standing: Standing, stop: asyncio.Event) -> None:
        idle = self.source.idle

        async def idle_or_stop(seconds: float) -> None:
            if standing.is_stopped_by_bad_frames:
                stop.set()
            await idle(seconds)

        self.source.idle = idle_or_stop  # type: ignore[method-assign]

    def _tap(self, port: Any, name: str) -> None:
        call: Callable[..., Awaitable[object]] = getattr(port, name)

        async def tapped(*arguments: object) -> object:
            self.interfere(name, False)
            await asyncio.sleep(0)  # as a real call would, it lets others run
            result = await call(*arguments)
            self.interfere(name, True)
            return result

        setattr(port, name, tapped)

    def _tapped_copy(self, port: Any, names: tuple[str, ...], *others: str) -> Any:
        """The port with taps on the calls in `names`; `others` go through as they are."""
        calls = {each: staticmethod(getattr(port, each)) for each in (*names, *others)}
        copy = type("Tapped", (), calls)()
        for name in names:
            self._tap(copy, name)
        return copy

    async def fill(self) -> None:
        """Frames of two kinds on three partitions, with doubles at other offsets and bad ones between."""
        for place, producer in zip(GENERATIONS, (PRODUCER, PRODUCER + 1), strict=True):
            frames = [value(first=first, producer_id=producer) for first in range(1, 16, 3)]
            yesterday = NOW_MICROSECONDS - DAY_MICROSECONDS
            frames.append(value(first=16, producer_id=producer, started_at_microseconds=yesterday))
            await self.log.append(place, frames[0], b"broken", *frames, frames[2], torn(), frames[5])
        await self.log.append(ADMISSIONS, value(Kind.ADMISSION), value(Kind.GENERATION))

    async def assert_exact(self) -> None:
        """Every event of `fill` once, every bad position in the dead letters, all offsets committed."""
        expected = [(producer, n) for producer in (PRODUCER, PRODUCER + 1) for n in range(1, 19)]
        assert await self.store.rows(Kind.GENERATION) == expected
        assert await self.store.rows(Kind.ADMISSION) == [(PRODUCER, n) for n in (1, 2, 3)]
        assert await self.letters() == {
            (GENERATIONS[0].topic, 0, 1): "header_truncated",
            (GENERATIONS[0].topic, 1, 1): "header_truncated",
            (GENERATIONS[0].topic, 0, 9): "checksum_wrong",
            (GENERATIONS[0].topic, 1, 9): "checksum_wrong",
            (ADMISSIONS.topic, 0, 1): "kind_wrong",
        }
        assert self.log.committed == {place: len(values) for place, values in self.log.records.items()}
        assert await self.store.dead() == [(1, 0, 1), (2, 0, 1), (2, 0, 9), (2, 1, 1), (2, 1, 9)]

    async def letters(self) -> dict[tuple[object, object, object], object]:
        """The reason of each position in the dead letters."""
        letters = await self.dead_letters.letters()
        return {(it["topic"], it["partition"], it["offset"]): it["reason_name"] for _, it in letters}


def interfere_with(
    name: str, failures: int, error: Callable[[], BaseException], *, is_after: bool = False
) -> Callable[[str, bool], None]:
    """Makes the first `failures` calls named `name` fail, before or after they had their effect."""
    left = itertools.count(failures, -1)

    def interfere(call: str, after: bool) -> None:
        if call == name and after is is_after and next(left) > 0:
            raise error()

    return interfere
