"""The log as a member of a consumer group: offsets move only when the consumer says so."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from pipelines.usage.domain.clocks import Stamp
from pipelines.usage.domain.errors import NotOwnerError, UnavailableError
from pipelines.usage.domain.evictions import Evictions
from pipelines.usage.domain.ports import Partition, Record
from pipelines.usage.settings import KafkaSettings
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_POLL_MILLISECONDS: Final = 500
# A record that arrives ends the broker's wait; without any, this is how often the broker is asked.
_FETCH_MILLISECONDS: Final = 2_000
_COMMIT_SECONDS: Final = 10.0
# A store that is down for hours must not cost the membership, so only a stuck loop does.
_MAX_POLL_INTERVAL_MILLISECONDS: Final = 3_600_000
_METADATA_MILLISECONDS: Final = 10_000
_BROKERS_TIME: Final = 1  # Kafka's number for LogAppendTime


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]  # the library is untyped
    """The topics of all kinds."""

    def __init__(self, settings: KafkaSettings, topics: Iterable[str]) -> None:
        self._topics = tuple(topics)
        self._is_member = False
        self._evictions = Evictions(settings.session_timeout_seconds)
        self._has_name = bool(settings.group_instance_id)
        # Where the next record of a partition should stand; None until the group was asked.
        self._next: dict[TopicPartition, int | None] = {}
        self._release: Callable[[], Awaitable[None]] | None = None
        session_milliseconds = round(settings.session_timeout_seconds * 1000)
        self._consumer = AIOKafkaConsumer(
            **settings.connection(),
            client_id="comptoir-usage",
            group_id=settings.group,
            group_instance_id=settings.group_instance_id or None,
            enable_auto_commit=False,
            # A new group reads the log from its beginning: the newest record would skip what waits there.
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_MILLISECONDS,
            max_poll_records=settings.max_poll_records,
            max_poll_interval_ms=_MAX_POLL_INTERVAL_MILLISECONDS,
            session_timeout_ms=session_milliseconds,
            rebalance_timeout_ms=session_milliseconds,
            heartbeat_interval_ms=session_milliseconds // 10,
            metadata_max_age_ms=_METADATA_MILLISECONDS,
        )

    async def start(self, release: Callable[[], Awaitable[None]]) -> None:
        """Joins the group; UnavailableError if Kafka does not answer."""
        self._release = release
        self._consumer.subscribe(self._topics, listener=self)
        try:
            await self._consumer.start()
        except KafkaError as error:
            raise UnavailableError(type(error).__name__, is_log=True) from None

    async def poll(self, paused: Collection[Partition] = ()) -> Mapping[Partition, Sequence[Record]]:
        """Returns the next records of each partition but `paused`, or none after half a second."""
        stay = self._consumer.assignment() & {TopicPartition(*partition) for partition in paused}
        self._consumer.resume(*(self._consumer.paused() - stay))
        self._consumer.pause(*stay)
        try:
            batches = await self._consumer.getmany(timeout_ms=_POLL_MILLISECONDS)
            for place in batches.keys() - self._next.keys():
                self._next[place] = await self._consumer.committed(place)
        except KafkaError as error:
            raise UnavailableError(type(error).__name__, is_log=True) from None
        return {Partition(*place): self._records(place, records) for place, records in batches.items()}

    def _records(self, place: TopicPartition, records: Sequence[Any]) -> list[Record]:
        """Ours for the library's; no record may be missing between two polls, unless the log dropped it."""
        partition = Partition(place.topic, place.partition)
        expected = self._next.get(place)
        found = []
        for record in records:
            skipped = 0 if expected is None else max(record.offset - expected, 0)
            expected = record.offset + 1
            found.append(Record(partition, record.offset, record.value or b"", stamp_of(record), skipped))
        self._next[place] = expected
        return found

    def rewind(self, partition: Partition, offset: int) -> None:
        """Lets the next poll of the partition begin at `offset`."""
        place = TopicPartition(*partition)
        if place in self._consumer.assignment():
            self._consumer.seek(place, offset)
            self._next[place] = offset

    async def idle(self, seconds: float) -> None:
        """Waits with every partition paused; asking for records is what keeps the membership."""
        self._consumer.pause(*self._consumer.assignment())
        try:
            batches = await self._consumer.getmany(timeout_ms=round(seconds * 1000))
        except KafkaError:
            await asyncio.sleep(seconds)  # the log fails at once, and the wait is what was asked for
            return
        for place, unwanted in batches.items():
            # Partitions that arrived in a rebalance during the wait: read them again later.
            self._consumer.seek(place, unwanted[0].offset)

    async def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        """Stores the offsets in the group; NotOwnerError where the group moved on without this member."""
        offsets = {TopicPartition(*partition): offset for partition, offset in next_offsets.items()}
        try:
            await asyncio.wait_for(self._consumer.commit(offsets), _COMMIT_SECONDS)
        except (CommitFailedError, IllegalStateError):
            raise NotOwnerError from None
        except (KafkaError, TimeoutError) as error:
            raise UnavailableError(type(error).__name__, is_log=True) from None

    async def stop(self) -> None:
        """Leaves the group, so that others take over at once."""
        await self._consumer.stop()

    @property
    def is_member(self) -> bool:
        """True once the group gave this member its partitions."""
        return self._is_member

    @property
    def is_name_contested(self) -> bool:
        """True while another member takes the place of this one under its name, again and again."""
        return self._evictions.is_contested(_now())

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Lets the consumer release its partitions: the library calls it before a rebalance, and waits."""
        # The library forgets its id as a member where the group no longer knows it, and only then.
        is_evicted = self._is_member and not self._consumer._coordinator.member_id  # noqa: SLF001 - nothing else says it
        if is_evicted and self._has_name and self._evictions.note(_now()):
            _log.error("another_member_has_this_name", field="usage.kafka.group_instance_id")
        self._is_member = False
        self._next.clear()
        if revoked and self._release is not None:
            await self._release()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """Takes the partitions: the library calls it after a rebalance."""
        self._is_member = True


def _now() -> float:
    return asyncio.get_running_loop().time()


def stamp_of(record: Any) -> Stamp | None:  # the library is untyped
    """Returns when a record entered the log, and by whose clock; None where neither said so."""
    if record.timestamp is None or record.timestamp < 0:
        return None
    return Stamp(record.timestamp * 1000, record.timestamp_type == _BROKERS_TIME)
