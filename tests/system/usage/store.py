"""A database of its own in the store of the tests, brought to this build's schema."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_declared import ClickHouseDeclared
from pipelines.usage.adapters.clickhouse_schema import ClickHouseSchema
from pipelines.usage.adapters.clickhouse_store import ClickHouseStore
from pipelines.usage.domain.frame import decode
from pipelines.usage.domain.gpu_prices import GpuPrice
from pipelines.usage.domain.rules import Rules
from pipelines.usage.settings import ClickHouseSettings
from services.contract.events import Kind
from services.contract.frame import Frame
from services.kernel.catalog import Catalog, Model, Region
from services.kernel.clock import Clock, SystemClock
from services.kernel.identity import Identity
from tests.pipelines.usage.frames import value
from tests.system.clickhouse_process import ClickHouseProcess

CATALOG = Catalog(
    regions=(Region(number=1, name="eu-fr"),),
    models=(Model(number=1, name="m", context_tokens=8, max_output_tokens=8),),
)


class Store:
    """One database of its own."""

    def __init__(self, clickhouse: ClickHouseProcess, database: str = "") -> None:
        settings = ClickHouseSettings.model_validate(
            {
                "url": clickhouse.url,
                "password_file": Path(clickhouse.folder / "writer-password"),
                "database": database or f"test_{Identity.random().hex}",
            }
        )
        self.database = settings.database
        self.connection = ClickHouse(settings)
        self.frames = ClickHouseStore(self.connection, self.database)
        self._settings = settings
        self._schema = ClickHouseSchema(self.connection, settings)
        self._frames: list[Frame] = []

    async def apply(self) -> None:
        """As the pipeline does when it starts."""
        await self._schema.apply(30, CATALOG)

    async def rows(self, query: str) -> list[Any]:
        """Rows of a query over DATABASE."""
        found = await self.connection.rows(query.replace("DATABASE", self.database))
        return [tuple(row) for row in found]

    async def type_of(self, table: str, column: str) -> str:
        """The column's type; empty where there is no such column."""
        found = await self.rows(
            "SELECT type FROM system.columns"  # noqa: S608 - names of ours
            f" WHERE database = 'DATABASE' AND table = '{table}' AND name = '{column}'"
        )
        return str(found[0][0]) if found else ""

    async def command(self, statement: str) -> None:
        """Changes the DATABASE."""
        await self.connection.command(statement.replace("DATABASE", self.database))

    async def declare(self, *prices: GpuPrice, clock: Clock | None = None, **rules: float) -> None:
        """As the pipeline does when it starts, after the schema."""
        declared = ClickHouseDeclared(self.connection, self._settings, clock or SystemClock())
        await declared.apply(Rules.model_validate({"gpu_prices": prices, **rules}), CATALOG.currency)

    async def happened(self, kind: Kind, at: datetime, count: int = 1, **fields: int) -> None:
        """Stores so many alike events, which began at a moment."""
        started = int(at.timestamp() * 1_000_000)
        first = 1 + sum(frame.count for frame in self._frames if frame.kind is kind)
        packed = value(kind, first=first, count=count, started_at_microseconds=started, **fields)
        self._frames.append(decode(packed, kind=kind))
        await self.frames.insert(self._frames[-1])

    async def come_again(self) -> None:
        """Everything is read from the log a second time."""
        for frame in self._frames:
            await self.frames.insert(frame)


def yesterday(clock: str) -> datetime:
    """Returns a time of yesterday, which the views show whatever the retention is."""
    day = datetime.now(UTC).date() - timedelta(days=1)
    return datetime.fromisoformat(f"{day}T{clock}+00:00")


def frame(kind: Kind = Kind.GENERATION, **fields: int) -> Frame:
    return decode(value(kind, started_at_microseconds=SystemClock().wall_microseconds(), **fields), kind=kind)
