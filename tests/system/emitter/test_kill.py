import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from comptoir.emitter.v1.emitter_pb2 import RecordRequest
from comptoir.emitter.v1.emitter_pb2_grpc import EmitterServiceStub
from comptoir.usage.v1 import usage_pb2

from services.contract.events import Kind
from services.contract.frame import Frame
from services.emitter.adapters.spool.store import SpoolStore
from services.emitter.domain.limits import SpoolFile
from services.kernel.clock import SystemClock
from tests.contracts.frames import read
from tests.ports import free_port
from tests.services.emitter import requests
from tests.system.emitter_process import EmitterProcess
from tests.system.kafka_process import KafkaProcess

pytestmark = [pytest.mark.system, pytest.mark.guarantee]

KILLS = 20
SENDERS = 4
# An emitter that was killed starts within it, on a machine that stands still now and then too.
CALL_SECONDS = 120
TOPIC = Kind.GENERATION.topic

EventId = tuple[int, int]


def generation() -> usage_pb2.Generation:
    """A generation that began now: the process goes by the machine's clock."""
    return requests.generation(started_at_microseconds=SystemClock().wall_microseconds())


class Senders:
    """Calls that never stop, and the ids of the events that were acknowledged."""

    def __init__(self, emitter: EmitterProcess) -> None:
        self.acknowledged: list[EventId] = []
        self._channel = emitter.channel()
        self._stub: Any = EmitterServiceStub(self._channel)
        self._is_ending = False

    async def run(self) -> None:
        """Sends until `end`; a call that failed is sent again, as its producer would."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(self._send())
        await self._channel.close()

    def end(self) -> None:
        """Lets `run` return once the open calls are acknowledged."""
        self._is_ending = True

    async def _send(self) -> None:
        while not self._is_ending:
            request = RecordRequest(generations=[generation() for _ in range(random.randint(1, 20))])
            while not await self._was_acknowledged(request):
                pass
            self.acknowledged += [(event.event_id_high, event.event_id_low) for event in request.generations]

    async def _was_acknowledged(self, request: RecordRequest) -> bool:
        try:
            await self._stub.Record(request, timeout=CALL_SECONDS, wait_for_ready=True)
        except grpc.aio.AioRpcError as failure:
            assert failure.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017 - others are defects
            return False
        return True


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


async def forwarded(consumer: AIOKafkaConsumer, producer_id: int) -> list[Frame]:
    """Every frame of a producer in the topic, in order; other tests' producers share the topic."""
    place = TopicPartition(TOPIC, producer_id % 4)
    end = (await consumer.end_offsets([place]))[place]
    consumer.assign([place])
    await consumer.seek_to_beginning(place)
    async with asyncio.timeout(60):
        frames = [read((await consumer.getone()).value) for _ in range(end)]
    return [frame for frame in frames if frame.producer_id == producer_id]


def held(folder: Path) -> tuple[int, list[Frame]]:
    """A spool's producer and frames, what is not sealed included; no process may have it open."""
    spool = SpoolFile(spool_folder=folder, durability="process", remember_event_ids_seconds=60.0)
    store = SpoolStore(spool)
    with store.transaction():
        frames = store.frames(Kind.GENERATION, 10**6, SystemClock().wall_microseconds(), is_draining=True)
    store.close()
    return store.producer_id, frames


def events_of(frames: list[Frame]) -> list[EventId]:
    """The events' ids in order; a frame that comes again must have the same bytes, and no event may lack."""
    values: dict[int, bytes] = {}
    ids: list[EventId] = []
    for frame in frames:
        if frame.first_sequence in values:
            assert values[frame.first_sequence] == frame.value
            continue
        values[frame.first_sequence] = frame.value
        assert frame.first_sequence == len(ids) + 1
        events = usage_pb2.GenerationFrame.FromString(frame.body).events
        assert [event.producer_sequence for event in events] == list(
            range(frame.first_sequence, frame.last_sequence + 1)
        )
        ids += [(event.event_id_high, event.event_id_low) for event in events]
    return ids


async def kill_at_random_points(emitter: EmitterProcess, senders: Senders, kills: int) -> None:
    """Kills and restarts while the senders send."""
    sending = asyncio.create_task(senders.run())
    for _ in range(kills):
        await asyncio.sleep(random.uniform(0.0, 0.5))
        emitter.kill()
        await asyncio.to_thread(emitter.start)
    senders.end()
    await asyncio.wait_for(sending, CALL_SECONDS)


async def test_every_acknowledged_event_is_forwarded_once_whatever_is_killed(
    kafka: KafkaProcess, consumer: AIOKafkaConsumer, tmp_path: Path
) -> None:
    emitter = EmitterProcess(tmp_path, kafka.address, frame_linger_seconds=0.02, frame_max_events=50)
    await asyncio.to_thread(emitter.start)
    try:
        senders = Senders(emitter)
        await kill_at_random_points(emitter, senders, KILLS)
    finally:
        assert await asyncio.to_thread(emitter.stop) == 0
    producer_id, left = held(emitter.spool_folder)
    ids = events_of([*await forwarded(consumer, producer_id), *left])
    assert len(ids) == len(set(ids))
    assert sorted(ids) == sorted(senders.acknowledged)
    assert len(ids) > KILLS


async def test_without_kafka_every_acknowledged_event_stays_in_the_spool_once(tmp_path: Path) -> None:
    emitter = EmitterProcess(tmp_path, f"127.0.0.1:{free_port()}", frame_linger_seconds=0.02)
    await asyncio.to_thread(emitter.start)
    try:
        senders = Senders(emitter)
        await kill_at_random_points(emitter, senders, 5)
    finally:
        emitter.kill()
    ids = events_of(held(emitter.spool_folder)[1])
    assert len(ids) == len(set(ids))
    assert sorted(ids) == sorted(senders.acknowledged)


async def test_a_drain_forwards_what_the_spool_holds(
    kafka: KafkaProcess, consumer: AIOKafkaConsumer, tmp_path: Path
) -> None:
    emitter = EmitterProcess(tmp_path, kafka.address, frame_linger_seconds=30)
    await asyncio.to_thread(emitter.start)
    async with emitter.channel() as channel:
        stub: Any = EmitterServiceStub(channel)
        await stub.Record(RecordRequest(generations=[generation(), generation()]), timeout=30)
    assert await asyncio.to_thread(emitter.stop) == 0
    producer_id, left = held(emitter.spool_folder)
    assert left == []
    assert [frame.count for frame in await forwarded(consumer, producer_id)] == [2]


async def test_a_drain_ends_in_time_without_kafka_and_loses_nothing(tmp_path: Path) -> None:
    emitter = EmitterProcess(tmp_path, f"127.0.0.1:{free_port()}", forward_grace_seconds=0.5)
    await asyncio.to_thread(emitter.start)
    async with emitter.channel() as channel:
        stub: Any = EmitterServiceStub(channel)
        await stub.Record(RecordRequest(generations=[generation()]), timeout=30)
    assert await asyncio.to_thread(emitter.stop) == 0
    assert [frame.count for frame in held(emitter.spool_folder)[1]] == [1]


async def test_a_spool_in_use_is_one_sentence_and_exit_status_1(tmp_path: Path) -> None:
    emitter = EmitterProcess(tmp_path, f"127.0.0.1:{free_port()}")
    await asyncio.to_thread(emitter.start)
    first = emitter._process
    try:
        assert await asyncio.to_thread(emitter.launch().wait, 30) == 1
        assert "another process has the spool open" in emitter.stderr
    finally:
        emitter._process = first
        emitter.stop()
