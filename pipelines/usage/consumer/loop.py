"""The loop: poll, decode, insert, commit; an offset moves only after its frame is stored or a dead letter."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from pipelines.usage.consumer.keeper import Keeper, Ports
from pipelines.usage.consumer.standing import Standing
from pipelines.usage.domain.errors import BadFrameError, NotOwnerError, UnavailableError
from pipelines.usage.domain.ports import Partition, Record
from pipelines.usage.domain.progress import Progress
from pipelines.usage.domain.rules import Rules, StoreTerms
from services.kernel.backoff import Backoff
from services.runtime.logs import get_logger

_log = get_logger(__name__)

# While it waits, the consumer looks this often whether it should stop.
_IDLE_SECONDS: Final = 0.5


class UsageConsumer:
    """One member of the group; killed at any point, the next one continues without loss or double."""

    def __init__(self, ports: Ports, rules: Rules, terms: StoreTerms, standing: Standing) -> None:
        self._ports = ports
        self._rules = rules
        self._standing = standing
        self._keeper = Keeper(ports, rules, terms, standing.clocks)
        self._pauses = standing.pauses
        self._progress = Progress(rules, terms)
        self._backoff = Backoff(rules.retry_first_seconds, rules.retry_most_seconds)
        self._pending: dict[Partition, deque[Record]] = {}
        # Those whose records the store did not take the last time.
        self._failing: frozenset[Partition] = frozenset()
        self._ownership = 0
        self._is_releasing = False
        self._settled = asyncio.Event()
        self._settled.set()

    async def run(self, stop: asyncio.Event, *, prepare: Sequence[Callable[[], Awaitable[None]]]) -> None:
        """Takes the steps of `prepare`, joins the group and consumes until `stop`.

        Then it finishes the inserts in flight, commits and leaves. It waits for what is unavailable.
        """
        source = self._ports.source
        try:
            for step in (*prepare, lambda: source.start(self._release)):
                await self._until_available(step, stop)
            while not stop.is_set():
                self._standing.took_part(
                    is_member=source.is_member,
                    is_stopped_by_bad_frames=self._keeper.breaker.is_tripped,
                    is_name_contested=source.is_name_contested,
                )
                await self._turn(stop)
            await self._commit()
        finally:
            await source.stop()

    async def _turn(self, stop: asyncio.Event) -> None:
        """Does one round: poll, decode, insert, commit."""
        if self._keeper.breaker.is_tripped:
            await self._ports.source.idle(_IDLE_SECONDS)
            return
        if self._progress.is_full:
            await self._commit()
        if self._progress.is_full:
            # Further inserts would push the tokens of the uncommitted frames out of the store's window.
            await self._ports.source.idle(_IDLE_SECONDS)
            return
        waiting = self._waiting
        try:
            # A table that takes nothing holds up its own partitions and no others.
            if self._workable().keys() <= self._failing:
                polled = await self._ports.source.poll(self._pauses.partitions | self._pending.keys())
                self._pending |= {partition: deque(records) for partition, records in polled.items()}
                waiting = self._waiting
            failure = await self._work_off(stop)
        except UnavailableError as error:
            failure = error
        if self._progress.is_due(self._ports.clock.monotonic_seconds()):
            await self._commit()
        self._standing.failure = failure
        if failure is not None and self._waiting >= waiting:
            await self._wait_after(failure, stop)

    @property
    def _waiting(self) -> int:
        return sum(map(len, self._pending.values()))

    def _workable(self) -> dict[Partition, deque[Record]]:
        """Returns what is pending in partitions that are not paused, or whose pause is to be tried again."""
        now_seconds = self._ports.clock.monotonic_seconds()
        return {
            partition: records
            for partition, records in self._pending.items()
            if self._pauses.may_try(partition, now_seconds=now_seconds)
        }

    async def _until_available(self, step: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await step()
            except UnavailableError as failure:
                self._standing.failure = failure
                wait_seconds = self._next_wait_seconds(failure)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), wait_seconds)
            else:
                self._backoff.reset()
                return

    async def _work_off(self, stop: asyncio.Event) -> UnavailableError | None:
        """Stores what is pending: partitions side by side, each in order; stops where a port fails."""
        workable = self._workable()
        if not workable:
            return None
        ownership = self._ownership
        self._settled.clear()
        try:
            drains = (self._drain(records, ownership, stop) for records in workable.values())
            failures = dict(zip(workable, await asyncio.gather(*drains), strict=True))
        finally:
            self._settled.set()
        self._pending = {partition: records for partition, records in self._pending.items() if records}
        self._failing = frozenset(partition for partition, failure in failures.items() if failure is not None)
        failure = next((failure for failure in failures.values() if failure is not None), None)
        if failure is None:
            self._backoff.reset()
        return failure

    async def _drain(
        self, records: deque[Record], ownership: int, stop: asyncio.Event
    ) -> UnavailableError | None:
        while records and not (stop.is_set() or self._must_stop):
            record = records[0]
            try:
                await self._keeper.keep(record)
            except UnavailableError as failure:
                return failure
            except BadFrameError as bad:
                if ownership == self._ownership:
                    self._pause(records, bad)
                return None
            if ownership != self._ownership:
                return None
            records.popleft()
            self._resume(record)
            self._progress.note(
                record.partition, record.offset, now_seconds=self._ports.clock.monotonic_seconds()
            )
        return None

    @property
    def _must_stop(self) -> bool:
        return self._is_releasing or self._keeper.breaker.is_tripped or self._progress.is_full

    def _pause(self, records: deque[Record], bad: BadFrameError) -> None:
        """Keeps the first of `records` to try again; those behind it are read again when it is done."""
        record = records[0]
        is_new = self._pauses.enter(record, bad, now_seconds=self._ports.clock.monotonic_seconds())
        if len(records) > 1:
            records.clear()
            records.append(record)
            self._ports.source.rewind(record.partition, record.offset + 1)
        self._ports.meter.paused(len(self._pauses.partitions))
        self._standing.changed.set()
        if is_new:
            figures = bad.figures
            _log.error(
                "paused",
                reason=bad.fault.name.lower(),
                offset_seconds=figures.get("offset_seconds"),
                version=figures.get("version"),
                known_version=figures.get("known_version"),
                clickhouse_code=figures.get("clickhouse_code"),
                topic=record.partition.topic,
                partition=record.partition.number,
                offset=record.offset,
            )

    def _resume(self, record: Record) -> None:
        ended = self._pauses.leave(record.partition)
        if ended is None:
            return
        self._ports.meter.paused(len(self._pauses.partitions))
        self._standing.changed.set()
        _log.info(
            "resumed",
            reason=ended.fault.name.lower(),
            topic=record.partition.topic,
            partition=record.partition.number,
            offset=record.offset,
        )

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

    async def _release(self) -> None:
        """Lets the inserts in flight end, and commits them, before partitions go to another member."""
        self._is_releasing = True
        try:
            await asyncio.wait_for(self._settled.wait(), self._rules.release_seconds)
        except TimeoutError:
            # The member that gets the partition inserts the frame again, and the store drops one of the two.
            _log.warning("rebalance_left_an_insert_in_flight")
        await self._commit()
        self._forget()
        self._is_releasing = False

    def _forget(self) -> None:
        self._ownership += 1
        self._pending.clear()
        self._progress.forget()
        self._pauses.forget()
        self._keeper.forget()

    async def _wait_after(self, failure: UnavailableError, stop: asyncio.Event) -> None:
        clock = self._ports.clock
        until_seconds = clock.monotonic_seconds() + self._next_wait_seconds(failure)
        while not stop.is_set() and (left_seconds := until_seconds - clock.monotonic_seconds()) > 0:
            await self._ports.source.idle(min(left_seconds, _IDLE_SECONDS))

    def _next_wait_seconds(self, failure: UnavailableError) -> float:
        wait_seconds = self._backoff.next_seconds(jitter=random.random())  # noqa: S311 - spreads retries
        _log.warning(
            "waiting",
            error_type=failure.error_type,
            clickhouse_code=failure.store_code,
            wait_seconds=round(wait_seconds, 3),
        )
        return wait_seconds
