import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OutOfOrderSequenceNumber

from services.contract.events import Kind
from services.emitter.adapters.kafka_log import KafkaLog
from services.emitter.domain.ports import LogUnavailableError
from services.runtime.kafka_target import KafkaTarget
from tests.contracts.event_log import PRODUCER_ID, EventLogContract, Read, some_frames, values
from tests.ports import free_port
from tests.system.kafka_process import KafkaProcess

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    process = KafkaProcess(tmp_path_factory.mktemp("kafka"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
async def consumer(kafka: KafkaProcess) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False)
    await consumer.start()
    yield consumer
    await consumer.stop()


@pytest.fixture
async def log(kafka: KafkaProcess) -> AsyncIterator[KafkaLog]:
    log = KafkaLog(KafkaTarget(bootstrap=kafka.address), confirm_seconds=20)
    yield log
    await log.close()


@pytest.fixture
async def read(consumer: AIOKafkaConsumer, log: KafkaLog) -> Read:
    """Reads what was appended since the test began: the topics outlive it."""
    places = [TopicPartition(kind.topic, number) for kind in Kind for number in range(4)]
    begins = await consumer.end_offsets(places)

    async def read(kind: Kind, partition: int) -> list[bytes]:
        place = TopicPartition(kind.topic, partition)
        end = (await consumer.end_offsets([place]))[place]
        consumer.assign([place])
        consumer.seek(place, begins[place])
        found: list[bytes] = []
        async with asyncio.timeout(20):
            while begins[place] + len(found) < end:
                records = await consumer.getone()
                assert records.key == PRODUCER_ID.to_bytes(8, "big")
                found.append(records.value)
        return found

    return read


class TestKafkaLog(EventLogContract):
    pass


async def test_a_producer_that_lost_its_sequence_is_replaced(log: KafkaLog, read: Read) -> None:
    frames = some_frames(Kind.GENERATION, 1, 3)
    await log.append(frames[:1], 0)
    connection = log._connection
    assert connection is not None
    connection._producer._txn_manager.increment_sequence_number(TopicPartition(Kind.GENERATION.topic, 0), 7)
    with pytest.raises(LogUnavailableError):
        await log.append(frames[1:], 0)
    await log.append(frames[1:], 0)
    assert log._connection is not connection
    assert await read(Kind.GENERATION, 0) == values(frames)


async def test_a_failure_for_one_kind_ends_the_appends_of_the_others(
    log: KafkaLog, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.append(some_frames(Kind.ADMISSION, 1, 1), 0)
    connection = log._connection
    assert connection is not None

    async def never(*_: object, **__: object) -> "asyncio.Future[None]":
        return asyncio.get_running_loop().create_future()

    async def failing(*_: object, **__: object) -> None:
        raise OutOfOrderSequenceNumber

    monkeypatch.setattr(connection._producer, "send_batch", never)
    waiting = asyncio.create_task(log.append(some_frames(Kind.ADMISSION, 2, 1), 0))
    await asyncio.sleep(0)
    monkeypatch.setattr(connection._producer, "send_batch", failing)
    with pytest.raises(LogUnavailableError):
        await log.append(some_frames(Kind.GENERATION, 1, 1), 0)
    with pytest.raises(LogUnavailableError):
        await asyncio.wait_for(waiting, 30)
    await log.append(some_frames(Kind.ADMISSION, 2, 1), 0)
    assert await read(Kind.ADMISSION, 0) == values(some_frames(Kind.ADMISSION, 1, 2))


async def test_a_broker_that_is_not_there_is_unavailable_soon() -> None:
    log = KafkaLog(KafkaTarget(bootstrap=f"127.0.0.1:{free_port()}"), confirm_seconds=5)
    with pytest.raises(LogUnavailableError):
        await log.append(some_frames(Kind.GENERATION, 1, 1), 0)
    await log.close()


async def test_a_broker_that_goes_away_is_survived(tmp_path: Path) -> None:
    kafka = KafkaProcess(tmp_path)
    kafka.start()
    try:
        log = KafkaLog(KafkaTarget(bootstrap=kafka.address), confirm_seconds=5)
        frames = some_frames(Kind.GENERATION, 1, 4)
        await log.append(frames[:1], 0)
        await asyncio.to_thread(kafka.kill)
        with pytest.raises(LogUnavailableError):
            await log.append(frames[1:], 0)
        await asyncio.to_thread(kafka.start)
        await log.append(frames[1:], 0)
        await log.close()
    except KafkaError:
        pytest.fail("only LogUnavailableError leaves the adapter")
    finally:
        kafka.stop()
