"""The adapters of Kafka under the contracts of their ports, on a real broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipelines.usage.adapters.kafka_dead_letters import KafkaDeadLetters
from pipelines.usage.adapters.kafka_lag import KafkaLag
from pipelines.usage.adapters.kafka_source import KafkaSource
from pipelines.usage.domain.errors import UnavailableError
from pipelines.usage.domain.ports import Partition
from pipelines.usage.settings import KafkaSettings
from services.kernel.identity import Identity
from tests.contracts.usage_ports import (
    DeadLettersContract,
    FrameSourceContract,
    LagGaugeContract,
)
from tests.system.kafka_process import KafkaProcess

pytestmark = pytest.mark.system


class TestKafkaSource(FrameSourceContract):
    @pytest.fixture
    async def log(self, kafka: KafkaProcess) -> "KafkaLogUnderTest":
        return await KafkaLogUnderTest.fresh(kafka.address)

    @pytest.fixture
    def make_source(self, kafka: KafkaProcess, log: "KafkaLogUnderTest") -> Callable[[], KafkaSource]:
        group = f"group-{Identity.random().hex}"
        settings = KafkaSettings(bootstrap=kafka.address, group=group, session_timeout_seconds=6)
        return lambda: KafkaSource(settings, [log.topic])

    @pytest.fixture(autouse=True)
    def place(self, log: "KafkaLogUnderTest", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "PLACE", Partition(log.topic, 0))

    async def test_partitions_are_released_before_another_member_has_them(
        self, log: "KafkaLogUnderTest", make_source: Callable[[], KafkaSource]
    ) -> None:
        await log.append(self.PLACE, b"a")
        first, second = make_source(), make_source()
        released = asyncio.Event()

        async def release() -> None:
            await first.commit({self.PLACE: 1})
            released.set()

        async def nothing() -> None:
            return

        await first.start(release)
        async with asyncio.timeout(30):
            while not await first.poll():
                pass
            joining = asyncio.create_task(second.start(nothing))
            while not (released.is_set() and first.is_member and second.is_member):
                await first.poll()
                if joining.done():
                    await second.poll()
        await log.append(self.PLACE, b"b")
        found: list[int] = []
        async with asyncio.timeout(30):
            while not found:
                for source in (first, second):
                    found += [record.offset for batch in (await source.poll()).values() for record in batch]
        assert found == [1]
        await first.stop()
        await second.stop()


class TestKafkaLag(LagGaugeContract):
    @pytest.fixture
    async def log(self, kafka: KafkaProcess) -> "KafkaLogUnderTest":
        return await KafkaLogUnderTest.fresh(kafka.address)

    @pytest.fixture
    def settings(self, kafka: KafkaProcess) -> KafkaSettings:
        group = f"group-{Identity.random().hex}"
        return KafkaSettings(bootstrap=kafka.address, group=group, session_timeout_seconds=6)

    @pytest.fixture
    def make_source(self, settings: KafkaSettings, log: "KafkaLogUnderTest") -> Callable[[], KafkaSource]:
        return lambda: KafkaSource(settings, [log.topic])

    @pytest.fixture
    async def gauge(self, settings: KafkaSettings, log: "KafkaLogUnderTest") -> AsyncIterator[KafkaLag]:
        opened = KafkaLag(settings, [log.topic])
        yield opened
        await opened.stop()

    @pytest.fixture(autouse=True)
    def place(self, log: "KafkaLogUnderTest", monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "PLACE", Partition(log.topic, 0))

    async def test_the_broker_stamps_what_enters_the_log(
        self, log: "KafkaLogUnderTest", gauge: KafkaLag
    ) -> None:
        await log.append(self.PLACE, b"a")
        oldest = (await self.lag(gauge)).oldest
        assert oldest is not None
        assert oldest.is_brokers


async def test_a_log_that_does_not_answer_cannot_be_measured_and_may_be_asked_again() -> None:
    gauge = KafkaLag(KafkaSettings(bootstrap="127.0.0.1:9"), ["topic"])
    for _ in range(2):
        with pytest.raises(UnavailableError) as away:
            await gauge.measure()
        assert away.value.is_log
    await gauge.stop()


class KafkaLogUnderTest:
    """A topic of its own on the broker."""

    def __init__(self, address: str, topic: str) -> None:
        self.address = address
        self.topic = topic

    @classmethod
    async def fresh(cls, address: str) -> "KafkaLogUnderTest":
        """A new, empty topic of one partition."""
        topic = f"test-{Identity.random().hex}"
        client = AIOKafkaAdminClient(bootstrap_servers=address)
        await client.start()
        try:
            await client.create_topics([NewTopic(topic, 1, 1)])
        finally:
            await client.close()
        return cls(address, topic)

    async def append(self, partition: Partition, *values: bytes) -> None:
        """Adds records at the end."""
        async with AIOKafkaProducer(bootstrap_servers=self.address, acks="all") as producer:
            for value in values:
                await producer.send_and_wait(partition.topic, value, partition=partition.number)


class TestKafkaDeadLetters(DeadLettersContract):
    @pytest.fixture
    async def topic(self, kafka: KafkaProcess) -> str:
        return (await KafkaLogUnderTest.fresh(kafka.address)).topic

    @pytest.fixture
    async def dead_letters(self, kafka: KafkaProcess, topic: str) -> AsyncIterator[KafkaDeadLetters]:
        opened = KafkaDeadLetters(KafkaSettings(bootstrap=kafka.address), topic)
        await opened.start()
        yield opened
        await opened.stop()

    @pytest.fixture
    def letters(
        self, kafka: KafkaProcess, topic: str
    ) -> Callable[[], Awaitable[list[tuple[bytes, dict[str, object]]]]]:
        async def read() -> list[tuple[bytes, dict[str, object]]]:
            place = TopicPartition(topic, 0)
            async with AIOKafkaConsumer(bootstrap_servers=kafka.address) as consumer:
                consumer.assign([place])
                await consumer.seek_to_beginning(place)
                record = await asyncio.wait_for(consumer.getone(), 30)
            return [(record.key, json.loads(record.value))]

        return read
