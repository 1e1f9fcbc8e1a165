"""The loop: poll, decode, insert, commit; an offset moves only after its frame is stored or buried."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.usage.domain.dead_letter import DeadLetter
from pipelines.usage.domain.errors import BadFrameError, NotOwnerError, UnavailableError
from pipelines.usage.domain.frame import Frame, decode
from pipelines.usage.domain.ports import DeadLetters, EventStore, FrameSource, Meter, Partition, Record
from pipelines.usage.domain.progress import Backoff, Breaker, Progress
from pipelines.usage.domain.rules import Rules
from pipelines.usage.domain.validation import validate
from pipelines.usage.wire import BOUNDS, KIND_OF_TOPIC, parse
from services.runtime.clock import Clock
from services.runtime.logs import get_logger

_log = get_logger(__name__)

# While it waits, the consumer looks this often whether it should stop.
_IDLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Ports:
    """What the consumer works with."""

    source: FrameSource
    store: EventStore
    dead_letters: DeadLetters
    meter: Meter
    clock: Clock


class UsageConsumer:
    """One member of the group; killed at any point, the next one continues without loss or double."""

    def __init__(self, ports: Ports, rules: Rules) -> None:
        self._ports = ports
        self._rules = rules
        self._progress = Progress(rules.commit)
        self._breaker = Breaker(rules.dead_letters_in_a_row)
        self._backoff = Backoff(rules.retry_first_seconds, rules.retry_most_seconds)
        self._pending: dict[Partition, deque[Record]] = {}
        self._ownership = 0
        self._is_releasing = False
        self._is_healthy: bool | None = None
        self._settled = asyncio.Event()
        self._settled.set()

    async def run(
        self,
        stop: asyncio.Event,
        *,
        prepare: Sequence[Callable[[], Awaitable[None]]],
        on_health: Callable[[bool], Awaitable[None]],
    ) -> None:
        """Takes the steps of `prepare`, joins the group and consumes until `stop`.

        Then it finishes the inserts in flight, commits and leaves. It waits for what is unavailable.
        """
        source = self._ports.source
        try:
            for step in (*prepare, lambda: source.start(self._release)):
                await self._until_available(step, stop)
            while not stop.is_set():
                await self._report(on_health)
                await self._turn(stop)
            await self._commit()
        finally:
            await source.stop()

    async def _turn(self, stop: asyncio.Event) -> None:
        """One round: poll, decode, insert, commit."""
        if self._breaker.is_tripped:
            await self._ports.source.idle(_IDLE_SECONDS)
            return
        if self._progress.is_full:
            await self._commit()
        if self._progress.is_full:
            # Further inserts would push the tokens of the uncommitted frames out of the store's window.
            await self._ports.source.idle(_IDLE_SECONDS)
            return
        try:
            if not self._pending:
                polled = await self._ports.source.poll()
                self._pending = {partition: deque(records) for partition, records in polled.items()}
            failure = await self._work_off(stop)
        except UnavailableError as error:
            failure = error
        if self._progress.is_due(self._ports.clock.monotonic_seconds()):
            await self._commit()
        if failure is not None:
            await self._wait_after(failure, stop)

    async def _report(self, on_health: Callable[[bool], Awaitable[None]]) -> None:
        is_healthy = self._ports.source.is_member and not self._breaker.is_tripped
        if is_healthy is not self._is_healthy:
            self._is_healthy = is_healthy
            await on_health(is_healthy)

    async def _until_available(self, step: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await step()
            except UnavailableError as failure:
                wait_seconds = self._next_wait_seconds(failure)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait_seconds)
            else:
                self._backoff.reset()
                return

    async def _work_off(self, stop: asyncio.Event) -> UnavailableError | None:
        """Stores what is pending: partitions side by side, each in order; stops where a port fails."""
        if not self._pending:
            return None
        ownership = self._ownership
        self._settled.clear()
        try:
            failures = await asyncio.gather(
                *(self._drain(records, ownership, stop) for records in self._pending.values())
            )
        finally:
            self._settled.set()
        self._pending = {partition: records for partition, records in self._pending.items() if records}
        failure = next((failure for failure in failures if failure is not None), None)
        if failure is None:
            self._backoff.reset()
        return failure

    async def _drain(
        self, records: deque[Record], ownership: int, stop: asyncio.Event
    ) -> UnavailableError | None:
        while records and not (stop.is_set() or self._must_pause):
            record = records[0]
            try:
                await self._handle(record)
            except UnavailableError as failure:
                return failure
            if ownership != self._ownership:
                return None
            records.popleft()
            self._progress.note(
                record.partition, record.offset, now_seconds=self._ports.clock.monotonic_seconds()
            )
        return None

    @property
    def _must_pause(self) -> bool:
        return self._is_releasing or self._breaker.is_tripped or self._progress.is_full

    async def _handle(self, record: Record) -> None:
        """The record's rows are in the store, or its position is in the dead letters; or UnavailableError."""
        try:
            frame = self._decode(record)
            await self._insert(frame)
        except BadFrameError as bad:
            await self._bury(record, bad)
        else:
            self._breaker.good()

    def _decode(self, record: Record) -> Frame:
        kind = KIND_OF_TOPIC[record.partition.topic]
        frame = decode(record.value, kind=kind)
        now = self._ports.clock.wall_microseconds()
        validate(frame.header, parse(frame), BOUNDS[kind], self._rules.residence, now=now)
        return frame

    async def _insert(self, frame: Frame) -> None:
        started_seconds = self._ports.clock.monotonic_seconds()
        await self._ports.store.insert(frame)
        seconds = self._ports.clock.monotonic_seconds() - started_seconds
        self._ports.meter.inserted(frame.header.kind, frame.header.count, seconds)

    async def _bury(self, record: Record, bad: BadFrameError) -> None:
        await self._ports.dead_letters.put(DeadLetter.of(record, bad.fault, bad.store_code))
        self._ports.meter.dead_lettered(bad.fault)
        self._breaker.bad(bad.fault)
        _log.warning(
            "dead_letter",
            reason=bad.fault.name.lower(),
            topic=record.partition.topic,
            partition=record.partition.number,
            offset=record.offset,
            clickhouse_code=bad.store_code,
        )
        if self._breaker.is_tripped:
            _log.error("consumer_stopped_by_bad_frames", count=self._rules.dead_letters_in_a_row)

    async def _commit(self) -> None:
        staged: Mapping[Partition, int] = self._progress.staged()
        if not staged:
            return
        try:
            await self._ports.source.commit(staged)
        except NotOwnerError:
            self._forget()
        except UnavailableError as failure:
            # The offsets stay staged; until they are stored, a restart reads the frames again, to no effect.
            _log.warning("commit_failed", error_type=failure.error_type)
        else:
            self._progress.committed(staged)
            self._ports.meter.lagging(self._ports.source.lag_frames())

    async def _release(self) -> None:
        """Before partitions go to another member: lets the inserts in flight end, and commits them."""
        self._is_releasing = True
        try:
            await asyncio.wait_for(self._settled.wait(), self._rules.release_seconds)
        except TimeoutError:
            # Whoever owns the partition next inserts the frame again, and the store drops one of the two.
            _log.warning("rebalance_left_an_insert_in_flight")
        await self._commit()
        self._forget()
        self._is_releasing = False

    def _forget(self) -> None:
        self._ownership += 1
        self._pending.clear()
        self._progress.forget()

    async def _wait_after(self, failure: UnavailableError, stop: asyncio.Event) -> None:
        clock = self._ports.clock
        until_seconds = clock.monotonic_seconds() + self._next_wait_seconds(failure)
        while not stop.is_set() and (left_seconds := until_seconds - clock.monotonic_seconds()) > 0:
            await self._ports.source.idle(min(left_seconds, _IDLE_SECONDS))

    def _next_wait_seconds(self, failure: UnavailableError) -> float:
        wait_seconds = self._backoff.next_seconds(random.random())  # noqa: S311 - jitter needs no secrecy
        _log.warning(
            "waiting",
            error_type=failure.error_type,
            clickhouse_code=failure.store_code,
            wait_seconds=round(wait_seconds, 3),
        )
        return wait_seconds
