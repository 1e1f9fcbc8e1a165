"""A pipeline whose clock is wrong, or that is older than a producer, on a real broker and a real store."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.contract.events import DEAD_LETTER_TOPIC, Kind
from services.kernel.readiness import Figure, Unready
from tests.pipelines.usage.frames import body, event, pack
from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.kafka_process import KafkaProcess
from tests.system.usage_process import UsageProcess

pytestmark = pytest.mark.system

FRAMES = 40
EVENTS = 40
PATIENCE_SECONDS = 120.0
GENERATIONS = Kind.GENERATION.topic
ADMISSIONS = Kind.ADMISSION.topic


@pytest.fixture
def usage(tmp_path: Path, kafka: KafkaProcess, clickhouse: ClickHouseProcess) -> Iterator[UsageProcess]:
    process = UsageProcess(tmp_path, kafka, clickhouse, measure_every_seconds=0.5, late_seconds=1)
    yield process
    process.stop()


def frame(kind: Kind, producer: int, number: int, *, version: int = 1) -> bytes:
    first, now = number * EVENTS + 1, time.time_ns() // 1000
    events = [
        event(kind, n, producer_id=producer, started_at_microseconds=now, schema_version=version)
        for n in range(first, first + EVENTS)
    ]
    content = body(kind, events)
    return pack(kind, content, count=EVENTS, first=first, producer=producer, schema_version=version)


async def produce(kafka: KafkaProcess, topic: str, partition: int, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.address, acks="all") as producer:
        for one in values:
            await producer.send_and_wait(topic, one, partition=partition)


async def dead_letters(kafka: KafkaProcess) -> int:
    place = TopicPartition(DEAD_LETTER_TOPIC, 0)
    async with AIOKafkaConsumer(bootstrap_servers=kafka.address) as consumer:
        return int((await consumer.end_offsets([place]))[place])


def stored(clickhouse: ClickHouseProcess, table: str, producer: int) -> tuple[Any, ...]:
    """Rows and distinct sequences of a producer."""
    query = (
        f"SELECT count(), uniqExact(producer_sequence) FROM comptoir.{table}"  # noqa: S608 - ours
        f" WHERE producer_id = {producer}"
    )
    (found,) = rows(clickhouse, query)
    return found


def rows(clickhouse: ClickHouseProcess, query: str) -> list[tuple[Any, ...]]:
    with clickhouse_connect.get_client(dsn=clickhouse.url, autogenerate_session_id=False) as client:
        return [tuple(row) for row in client.query(query).result_rows]


async def eventually(ask: Callable[[], Any], expected: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := await asyncio.to_thread(ask)) != expected:
        assert time.monotonic() < deadline, f"still {answer!r} and not {expected!r}"


def reason(usage: UsageProcess) -> Unready | None:
    state = usage.readiness()
    return None if state is None else state.reason


def figure(usage: UsageProcess, wanted: Figure) -> float | None:
    state = usage.readiness()
    return None if state is None else state.figures.get(wanted)


@pytest.mark.parametrize(
    ("days", "expected"), [(-1, Unready.CLOCK_BEHIND), (40, Unready.CLOCK_AHEAD)], ids=["slow", "fast"]
)
async def test_a_wrong_clock_stores_nothing_drops_nothing_and_says_so_until_it_is_right(
    kafka: KafkaProcess, clickhouse: ClickHouseProcess, usage: UsageProcess, days: int, expected: Unready
) -> None:
    producer = 1_000 + days
    usage.start()
    assert usage.stop() == 0
    letters = await dead_letters(kafka)
    for topic, kind in ((GENERATIONS, Kind.GENERATION), (ADMISSIONS, Kind.ADMISSION)):
        await produce(kafka, topic, 0, [frame(kind, producer, number) for number in range(FRAMES)])

    usage.clock_offset_seconds = days * 86_400
    usage.launch()
    await eventually(lambda: reason(usage), expected)
    await eventually(lambda: "paused" in usage.stderr, True)
    assert not usage.is_ready()
    state = usage.readiness()
    assert state is not None
    assert abs(state.figures[Figure.OFFSET_SECONDS] - abs(days) * 86_400) < 3_600
    assert stored(clickhouse, "generations", producer) == stored(clickhouse, "admissions", producer) == (0, 0)
    query = "SELECT waiting_frames, paused_for FROM comptoir.pipeline_lag WHERE kind = 'generation'"
    await eventually(lambda: rows(clickhouse, query), [(FRAMES, expected.name.lower())])
    assert usage.stop() == 0
    assert usage.stderr.count('"paused"') <= 2

    usage.clock_offset_seconds = 0
    usage.start()
    whole = (FRAMES * EVENTS, FRAMES * EVENTS)
    await eventually(lambda: stored(clickhouse, "generations", producer), whole)
    await eventually(lambda: stored(clickhouse, "admissions", producer), whole)
    views = f"SELECT missing_rows, double_rows FROM comptoir.completeness WHERE producer_id = {producer}"  # noqa: S608 - ours
    assert rows(clickhouse, views) == [(0, 0)] * 2
    await eventually(usage.is_ready, True)
    assert await dead_letters(kafka) == letters


async def test_frames_of_a_newer_schema_between_older_ones_wait_for_the_upgrade(
    kafka: KafkaProcess, clickhouse: ClickHouseProcess, usage: UsageProcess
) -> None:
    usage.start()
    letters = await dead_letters(kafka)
    mixed = [frame(Kind.GENERATION, 2_000, n, version=1 + n % 2) for n in range(FRAMES)]
    older = [frame(Kind.GENERATION, 2_001, n) for n in range(FRAMES)]
    await produce(kafka, GENERATIONS, 1, mixed)
    await produce(kafka, GENERATIONS, 2, older)
    await eventually(lambda: reason(usage), Unready.SCHEMA_VERSION_UNKNOWN)
    await eventually(lambda: stored(clickhouse, "generations", 2_001), (FRAMES * EVENTS, FRAMES * EVENTS))
    assert stored(clickhouse, "generations", 2_000) == (EVENTS, EVENTS)
    assert usage.stop() == 0

    usage.schema_versions = (1, 2)
    usage.start()
    await eventually(lambda: stored(clickhouse, "generations", 2_000), (FRAMES * EVENTS, FRAMES * EVENTS))
    assert await dead_letters(kafka) == letters
    assert usage.stop() == 0


async def test_a_store_that_is_away_makes_the_pipeline_late_and_the_lag_is_known_meanwhile(
    kafka: KafkaProcess, clickhouse: ClickHouseProcess, usage: UsageProcess
) -> None:
    usage.start()
    clickhouse.kill()
    await produce(kafka, GENERATIONS, 3, [frame(Kind.GENERATION, 3_000, n) for n in range(FRAMES)])
    await eventually(lambda: reason(usage), Unready.STORE_AWAY)
    # It measures now and then, and may have done so while they were written.
    await eventually(lambda: figure(usage, Figure.WAITING_FRAMES), FRAMES)
    await eventually(lambda: (figure(usage, Figure.BEHIND_SECONDS) or 0.0) >= 1, True)
    clickhouse.start()
    await eventually(lambda: stored(clickhouse, "generations", 3_000), (FRAMES * EVENTS, FRAMES * EVENTS))
    await eventually(usage.is_ready, True)
    assert usage.stop() == 0
