"""How far the group is behind the log, asked on a connection of its own, whatever the consumer does."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, for_code

from pipelines.usage.adapters.kafka_source import stamp_of
from pipelines.usage.domain.clocks import Stamp
from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.domain.ports import Lag, Partition
from pipelines.usage.settings import KafkaSettings

_MEASURE_SECONDS: Final = 10.0
_STAMP_MILLISECONDS: Final = 2_000


class KafkaLag:
    """Compares the log's ends with the group's offsets; reads single records for their stamps only."""

    def __init__(self, settings: KafkaSettings, topics: Iterable[str]) -> None:
        self._settings = settings
        self._topics = list(topics)
        self._connection: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None
        # Stamps by position, so that a record that waits for hours is read once.
        self._stamps: dict[tuple[TopicPartition, int], Stamp | None] = {}

    async def measure(self) -> Sequence[Lag]:
        """Returns one entry per partition of the topics."""
        try:
            async with asyncio.timeout(_MEASURE_SECONDS):
                return await self._measure(*await self._connected())
        except (KafkaError, TimeoutError) as error:
            await self.stop()
            raise UnavailableError(type(error).__name__, is_log=True) from None

    async def stop(self) -> None:
        """Closes the connections; the next measurement opens new ones."""
        connection, self._connection = self._connection, None
        for client in connection or ():
            with contextlib.suppress(KafkaError):
                await (client.stop() if isinstance(client, AIOKafkaConsumer) else client.close())

    async def _connected(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._connection is None:
            address = {**self._settings.connection(), "client_id": "comptoir-usage-lag"}
            admin = AIOKafkaAdminClient(**address)
            consumer = AIOKafkaConsumer(**address, enable_auto_commit=False, auto_offset_reset="none")
            self._connection = admin, consumer
            await admin.start()
            await consumer.start()
        return self._connection

    async def _measure(self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> list[Lag]:
        topics = await admin.describe_topics(self._topics)
        # Without the right to see a topic it has no partitions: nothing would seem to wait in it.
        if any(for_code(topic["error_code"]) is TopicAuthorizationFailedError for topic in topics):
            raise TopicAuthorizationFailedError
        places = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in topics
            for partition in topic["partitions"]
        ]
        if not places:
            return []
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        stored = await admin.list_consumer_group_offsets(self._settings.group, partitions=places)
        lags, wanted = [], []
        for place in places:
            known = stored.get(place)
            # A group that never committed reads from the beginning, and nothing before it is left.
            first = begins[place] if known is None else max(known.offset, begins[place])
            lags.append((place, first, ends[place]))
            if ends[place] > first:
                wanted += [(place, first), (place, ends[place] - 1)]
        await self._read_stamps(consumer, wanted)
        return [
            Lag(
                Partition(place.topic, place.partition),
                max(end - first, 0),
                self._stamps.get((place, first)),
                self._stamps.get((place, end - 1)),
            )
            for place, first, end in lags
        ]

    async def _read_stamps(
        self, consumer: AIOKafkaConsumer, wanted: Sequence[tuple[TopicPartition, int]]
    ) -> None:
        self._stamps = {position: self._stamps[position] for position in wanted if position in self._stamps}
        for place, offset in dict.fromkeys(wanted):
            if (place, offset) in self._stamps:
                continue
            consumer.assign([place])
            consumer.seek(place, offset)
            batches = await consumer.getmany(place, timeout_ms=_STAMP_MILLISECONDS, max_records=1)
            for record in batches.get(place, ()):
                self._stamps[place, offset] = stamp_of(record)
        consumer.assign([])
