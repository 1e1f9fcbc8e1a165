"""One broker and one store for the pipeline's system tests; each test has a pipeline of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.system.clickhouse_process import ClickHouseProcess
from tests.system.kafka_process import KafkaProcess
from tests.system.usage.store import Store


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    folder: Path = tmp_path_factory.mktemp("kafka")
    process = KafkaProcess(folder)
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseProcess]:
    folder: Path = tmp_path_factory.mktemp("clickhouse")
    process = ClickHouseProcess(folder)
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture
async def store(clickhouse: ClickHouseProcess) -> AsyncIterator[Store]:
    made = Store(clickhouse)
    await made.apply()
    yield made
    await made.connection.close()
