"""The pipeline killed again and again while frames flow: every event once, every bad frame by position."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.contract.events import DEAD_LETTER_TOPIC, Kind
from tests.pipelines.usage.frames import DAY_MICROSECONDS, PRODUCER, body, event, pack, value
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.kafka_process import KafkaProcess
from tests.system.usage_process import UsageProcess

pytestmark = [pytest.mark.system, pytest.mark.guarantee]

KILLS = 12
FRAMES = 80
EVENTS = 25
PRODUCERS = (PRODUCER, PRODUCER + 1, PRODUCER + 2)
CANARY = b"canary-3f1c the patient has a fever"
PATIENCE_SECONDS = 120.0
SESSION_SECONDS = 180.0
GENERATIONS = Kind.GENERATION.topic


@pytest.fixture
def usage(tmp_path: Path, kafka: KafkaProcess, clickhouse: ClickHouseProcess) -> Iterator[UsageProcess]:
    process = UsageProcess(tmp_path, kafka, clickhouse)
    yield process
    process.stop()


def rows(clickhouse: ClickHouseProcess, query: str) -> list[tuple[Any, ...]]:
    with clickhouse_connect.get_client(dsn=clickhouse.url, autogenerate_session_id=False) as client:
        return [tuple(row) for row in client.query(query).result_rows]


async def eventually(ask: Callable[[], Any], expected: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := await asyncio.to_thread(ask)) != expected:
        assert time.monotonic() < deadline, f"still {answer!r} and not {expected!r}"


def frame(producer: int, number: int) -> bytes:
    """Frame `number` of a producer; every third spreads over two days."""
    now = time.time_ns() // 1000
    first = number * EVENTS + 1
    events = [
        event(
            Kind.GENERATION,
            sequence,
            producer_id=producer,
            started_at_microseconds=now - (DAY_MICROSECONDS if number % 3 == 0 and sequence % 2 else 0),
            input_tokens=sequence,
            output_tokens=2,
        )
        for sequence in range(first, first + EVENTS)
    ]
    return pack(Kind.GENERATION, body(Kind.GENERATION, events), count=EVENTS, first=first, producer=producer)


def bad_frames() -> list[bytes]:
    """Frames that no consumer may store, each with text in it."""
    good = value(count=1)
    unknown_field = bytes([0xFA, 0x07, len(CANARY)]) + CANARY
    inner = event(Kind.GENERATION, 1).SerializeToString(deterministic=True) + unknown_field
    hidden = bytes([0x0A, 0x80 | len(inner) & 0x7F, len(inner) >> 7]) + inner
    return [
        CANARY,
        CANARY * 3,
        good[:-1] + bytes([good[-1] ^ 1]),
        good + CANARY,
        pack(Kind.GENERATION, hidden, count=1),
        pack(Kind.GENERATION, CANARY, count=1),
    ]


async def produce(kafka: KafkaProcess, partition: int, values: list[bytes]) -> list[int]:
    """Sends the values in order, slowly enough that kills fall between them; their offsets."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.address, acks="all") as producer:
        sent = [await producer.send_and_wait(GENERATIONS, one, partition=partition) for one in values]
    return [place.offset for place in sent]


async def fill(kafka: KafkaProcess, chance: random.Random) -> set[tuple[str, int, int]]:
    """Each producer's frames in its partition, some twice, bad ones between; the positions of the bad."""
    bad_places = set()
    for partition, producer in enumerate(PRODUCERS):
        frames = [frame(producer, number) for number in range(FRAMES)]
        doubles = [one for one in frames if chance.random() < 0.3]
        bad = bad_frames()
        mixed = frames + doubles + bad
        chance.shuffle(mixed)
        offsets = await produce(kafka, partition, mixed)
        bad_places |= {
            (GENERATIONS, partition, offset) for one, offset in zip(mixed, offsets, strict=True) if one in bad
        }
    return bad_places


async def records(kafka: KafkaProcess, topic: str) -> list[tuple[bytes, bytes]]:
    """Key and value of every record of the topic's first partition."""
    place, found = TopicPartition(topic, 0), []
    async with AIOKafkaConsumer(bootstrap_servers=kafka.address, enable_auto_commit=False) as consumer:
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await consumer.position(place) < end:
                found += [(record.key, record.value) async for record in _batch(consumer)]
    return found


async def _batch(consumer: AIOKafkaConsumer) -> Any:
    for batch in (await consumer.getmany(timeout_ms=500)).values():
        for record in batch:
            yield record


async def test_killed_again_and_again_it_stores_every_event_once(
    kafka: KafkaProcess, clickhouse: ClickHouseProcess, usage: UsageProcess
) -> None:
    chance = random.Random(20260921)
    usage.start()
    filling = asyncio.create_task(fill(kafka, chance))
    for _ in range(KILLS):
        await asyncio.to_thread(usage.ended_within, chance.uniform(0.6, 1.6))
        usage.kill()
        usage.launch()
    bad_places = await filling

    last = FRAMES * EVENTS
    tokens = last * (last + 1) // 2
    query = (
        "SELECT producer_id, count(), uniqExact(producer_sequence), max(producer_sequence),"
        " sum(input_tokens), sum(output_tokens) FROM comptoir.generations GROUP BY producer_id ORDER BY 1"
    )
    expected = [(producer, last, last, last, tokens, 2 * last) for producer in PRODUCERS]
    await eventually(lambda: rows(clickhouse, query), expected)
    query = "SELECT double_rows, missing_rows FROM comptoir.completeness WHERE kind = 'generation'"
    assert rows(clickhouse, query) == [(0, 0)] * len(PRODUCERS)

    async def letters() -> set[tuple[str, int, int]]:
        found = [json.loads(content) for _, content in await records(kafka, DEAD_LETTER_TOPIC)]
        return {(it["topic"], it["partition"], it["offset"]) for it in found}

    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := await letters()) != bad_places:
        assert time.monotonic() < deadline, found ^ bad_places
    usage_stopped = usage.stop()
    assert usage_stopped == 0

    kept = b"".join(key + content for key, content in await records(kafka, DEAD_LETTER_TOPIC))
    assert b"canary" not in kept
    assert "canary" not in usage.stderr
    assert not any(b"canary" in content for content in clickhouse.content_at_rest())


async def test_frames_wait_in_kafka_while_the_store_is_down(
    kafka: KafkaProcess, clickhouse: ClickHouseProcess, usage: UsageProcess
) -> None:
    usage.start()
    clickhouse.kill()
    other = PRODUCER + 100
    await produce(kafka, 3, [frame(other, number) for number in range(5)])
    assert not usage.ended_within(2.0)
    clickhouse.start()
    query = (
        f"SELECT count(), uniqExact(producer_sequence) FROM comptoir.generations WHERE producer_id = {other}"  # noqa: S608 - a number
    )
    await eventually(lambda: rows(clickhouse, query), [(5 * EVENTS, 5 * EVENTS)])
    assert "waiting" in usage.stderr
    assert usage.stop() == 0


def under_a_name(kafka: KafkaProcess, name: str, session_seconds: float) -> dict[str, Any]:
    """Settings of a group of its own in which the pipeline has a name."""
    return {
        "bootstrap": kafka.address,
        "group": f"comptoir-{name}",
        "group_instance_id": name,
        "session_timeout_seconds": session_seconds,
    }


async def stored(clickhouse: ClickHouseProcess, producer: int, events: int) -> None:
    query = f"SELECT count() FROM comptoir.generations WHERE producer_id = {producer}"  # noqa: S608 - a number
    await eventually(lambda: rows(clickhouse, query), [(events,)])


async def test_a_pipeline_that_was_killed_goes_on_long_before_its_session_is_over(
    kafka: KafkaProcess, clickhouse: ClickHouseProcess, usage: UsageProcess
) -> None:
    usage.configure(kafka=under_a_name(kafka, "killed", SESSION_SECONDS))
    usage.start()
    usage.kill()
    killed_at = time.monotonic()
    await produce(kafka, 2, [frame(PRODUCER + 200, 0)])
    usage.start()
    await stored(clickhouse, PRODUCER + 200, EVENTS)
    assert time.monotonic() - killed_at < SESSION_SECONDS / 2
    assert usage.stop() == 0


async def test_of_two_pipelines_under_one_name_the_one_that_is_left_stores_every_event_once(
    kafka: KafkaProcess, clickhouse: ClickHouseProcess, usage: UsageProcess, tmp_path: Path
) -> None:
    usage.configure(kafka=under_a_name(kafka, "twice", 15))
    usage.start()
    (tmp_path / "later").mkdir()
    later = UsageProcess(tmp_path / "later", kafka, clickhouse)
    later.configure(kafka=under_a_name(kafka, "twice", 15))
    try:
        # They take the partitions from each other, so nothing says how soon anything is stored, or either is
        # ready; both say in one line what is to be set.
        later.launch()
        told = "another_member_has_this_name"
        await eventually(lambda: told in usage.stderr or told in later.stderr, True)
        await produce(kafka, 2, [frame(PRODUCER + 300, number) for number in range(4)])
        assert not usage.ended_within(0)
        assert not later.ended_within(0)
    finally:
        later.stop()
    await stored(clickhouse, PRODUCER + 300, 4 * EVENTS)
    assert usage.stop() == 0
