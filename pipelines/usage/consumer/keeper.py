"""What becomes of one record: rows in the store, a dead letter, or nothing yet."""

from dataclasses import dataclass

from pipelines.usage.domain.clocks import Clocks, Moment, judge
from pipelines.usage.domain.dead_letter import DeadLetter
from pipelines.usage.domain.errors import BadFrameError
from pipelines.usage.domain.frame import decode
from pipelines.usage.domain.high_water import HighWater
from pipelines.usage.domain.ports import DeadLetters, EventStore, FrameSource, LagGauge, Meter, Record
from pipelines.usage.domain.progress import Breaker
from pipelines.usage.domain.rules import Rules, StoreTerms
from pipelines.usage.domain.validation import Residence, validate
from pipelines.usage.wire import BOUNDS, parse, without
from services.contract.events import KIND_OF_TOPIC
from services.contract.frame import Frame
from services.kernel.clock import Clock
from services.runtime.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """What the consumer works with."""

    source: FrameSource
    lag: LagGauge
    store: EventStore
    dead_letters: DeadLetters
    meter: Meter
    clock: Clock


class Keeper:
    """Stores frames, or makes dead letters of them; what waits for a clock or a version is its caller's."""

    def __init__(self, ports: Ports, rules: Rules, terms: StoreTerms, clocks: Clocks) -> None:
        self._ports = ports
        self._residence = Residence(terms.region, rules.retention_days)
        self._rules = rules
        self._clocks = clocks
        self._high_water = HighWater()
        self.breaker = Breaker(rules.dead_letters_in_a_row)

    async def keep(self, record: Record) -> None:
        """Returns once the record's rows are in the store, or its position in the dead letters.

        BadFrameError if the record must wait for a clock, a version or a setting; UnavailableError if the
        store or the log does not answer.
        """
        self._look_for_a_gap(record)
        try:
            frame = self._decode(record)
            await self._insert(frame)
        except BadFrameError as bad:
            if not (bad.fault.is_corrupt or self._rules.is_given_up(record)):
                raise
            await self._make_dead_letter(record, bad)
        else:
            self.breaker.good()

    def forget(self) -> None:
        """Forgets the partitions: they belong to other members now, which store what comes."""
        self._high_water.forget()

    def _decode(self, record: Record) -> Frame:
        kind = KIND_OF_TOPIC[record.partition.topic]
        moment = self._moment_at(record)
        frame = decode(record.value, kind=kind)
        columns = parse(frame)
        validate(frame, columns, BOUNDS[kind], self._residence)
        newest = max(columns["started_at_microseconds"])
        judge(newest, record.stamp, moment, self._rules.retention_days)
        return frame

    def _moment_at(self, record: Record) -> Moment:
        clock = self._ports.clock
        now_seconds = clock.monotonic_seconds()
        if record.stamp is not None:
            self._clocks.saw_stamp(record.stamp, monotonic_seconds=now_seconds)
        return self._clocks.moment(clock.wall_microseconds(), monotonic_seconds=now_seconds)

    async def _insert(self, frame: Frame) -> None:
        started_seconds = self._ports.clock.monotonic_seconds()
        fresh = await self._fresh(frame)
        if fresh is not None:
            await self._ports.store.insert(fresh)
        self._high_water.rise(frame, frame.last_sequence)
        seconds = self._ports.clock.monotonic_seconds() - started_seconds
        self._ports.meter.inserted(frame.kind, frame.count, seconds)

    async def _fresh(self, frame: Frame) -> Frame | None:
        """Returns what of the frame is not stored yet.

        A frame that comes again is known by its token, within the store's window of tokens. Events that come
        again in another frame are not; a spool that was damaged in between sends them like that.
        """
        store = self._ports.store
        highest = self._high_water.of(frame)
        if highest is None:
            highest = await store.highest_sequence(frame.kind, frame.producer_id)
            self._high_water.rise(frame, highest)
        if frame.first_sequence > highest:
            return frame
        return without(frame, await store.stored_of(frame))

    async def _make_dead_letter(self, record: Record, bad: BadFrameError) -> None:
        letter = DeadLetter.of(record, bad.fault, bad.store_code)
        # The log has the letter first: it is the record that stays if the store's copy is lost.
        await self._ports.dead_letters.put(letter)
        await self._ports.store.note_dead(KIND_OF_TOPIC[record.partition.topic], letter)
        self._ports.meter.dead_lettered(bad.fault)
        if bad.fault.is_corrupt:
            self.breaker.bad(bad.fault)
        _log.warning(
            "dead_letter",
            reason=bad.fault.name.lower(),
            clickhouse_code=bad.store_code,
            topic=record.partition.topic,
            partition=record.partition.number,
            offset=record.offset,
        )
        if self.breaker.is_tripped:
            _log.error("consumer_stopped_by_bad_frames", count=self._rules.dead_letters_in_a_row)

    def _look_for_a_gap(self, record: Record) -> None:
        """Says so if the log no longer had records that nobody had read: they are lost."""
        if record.skipped:
            self._ports.meter.lost(record.skipped)
            _log.error(
                "frames_lost_in_the_log",
                count=record.skipped,
                topic=record.partition.topic,
                partition=record.partition.number,
                offset=record.offset,
            )
