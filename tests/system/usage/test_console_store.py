"""What the console reads of a real store, under the contract of its port: what the pipeline wrote there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_schema import ClickHouseSchema
from pipelines.usage.adapters.clickhouse_store import ClickHouseStore as Writer
from pipelines.usage.domain.frame import decode
from pipelines.usage.domain.ports import KindProgress
from pipelines.usage.settings import ClickHouseSettings
from services.console.adapters.clickhouse_store import ClickHouseStore
from services.console.settings import StoreTarget
from services.contract.events import Kind
from services.kernel.catalog import Catalog, Model, Region
from services.kernel.clock import SystemClock
from services.kernel.identity import Identity
from tests.contracts import console_ports
from tests.contracts.console_ports import StoreContract
from tests.pipelines.usage.frames import value
from tests.ports import free_port
from tests.system.clickhouse_process import ClickHouseProcess

pytestmark = pytest.mark.system

CATALOG = Catalog(
    regions=(Region(number=1, name="eu-fr"),),
    models=(Model(number=1, name=console_ports.MODEL, context_tokens=8, max_output_tokens=8),),
)
MICROSECONDS = 1_000_000


@pytest.fixture(scope="module")
def target(clickhouse: ClickHouseProcess) -> StoreTarget:
    """Written once: whoever reads changes nothing."""
    return asyncio.run(written(clickhouse))


class TestClickHouseStore(StoreContract):
    @pytest.fixture
    async def store(self, target: StoreTarget) -> AsyncIterator[ClickHouseStore]:
        store = ClickHouseStore(target)
        yield store
        await store.close()

    @pytest.fixture
    def now_seconds(self, store: ClickHouseStore) -> float:
        del store  # written before
        return SystemClock().wall_microseconds() / MICROSECONDS

    @pytest.fixture
    async def empty_store(self, clickhouse: ClickHouseProcess) -> AsyncIterator[ClickHouseStore]:
        store = ClickHouseStore(StoreTarget(url=clickhouse.url, database="nothing_there_yet"))
        yield store
        await store.close()

    @pytest.fixture
    async def away_store(self) -> AsyncIterator[ClickHouseStore]:
        store = ClickHouseStore(StoreTarget(url=f"http://127.0.0.1:{free_port()}"))
        yield store
        await store.close()


async def written(clickhouse: ClickHouseProcess) -> StoreTarget:
    """A database of its own, in which the pipeline's writer has left what the contract is about."""
    database = f"console_{Identity.random().hex}"
    settings = ClickHouseSettings.model_validate(
        {
            "url": clickhouse.url,
            "password_file": Path(clickhouse.folder / "writer-password"),
            "database": database,
        }
    )
    connection = ClickHouse(settings)
    try:
        await ClickHouseSchema(connection, settings).apply(console_ports.RETENTION_DAYS, CATALOG)
        writer = Writer(connection, database)
        for kind, fields in events(SystemClock().wall_microseconds()).items():
            await writer.insert(decode(value(kind, **fields), kind=kind))
        await writer.note_progress([KindProgress(kind, 0, 0) for kind in Kind])
    finally:
        await connection.close()
    return StoreTarget(url=clickhouse.url, database=database)


def events(now_microseconds: int) -> dict[Kind, dict[str, Any]]:
    """What a model did just now, as the pipeline is told of it."""
    ttft = int(console_ports.TTFT_SECONDS * MICROSECONDS)
    return {
        Kind.GENERATION: {
            "count": console_ports.REQUESTS,
            "started_at_microseconds": now_microseconds,
            "output_tokens": console_ports.TOKENS_OF_ONE,
            "ttft_microseconds": ttft,
            "duration_microseconds": 4 * ttft,
        },
        Kind.REPLICA_LOAD: {
            "count": 1,
            "started_at_microseconds": now_microseconds,
            "model": 1,
            "replica": 7,
            "running_requests": console_ports.RUNNING,
            "waiting_requests": console_ports.WAITING,
            "kv_usage_permille": round(1000 * console_ports.KV_USAGE),
        },
    }
