"""Brings the store to this build's schema, retention and catalog; safe to run again after any crash."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_tables import EventTables
from pipelines.usage.domain.errors import SchemaError
from pipelines.usage.domain.migrations import Migration, due
from pipelines.usage.settings import ClickHouseSettings
from services.contract.events import Kind
from services.kernel.catalog import Catalog
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_WINDOWS: Final = {
    "MergeTree": "non_replicated_deduplication_window = {frames}",
    # Kafka keeps frames for at most a week, so a token older than that cannot come again.
    "ReplicatedMergeTree": "replicated_deduplication_window = {frames}, "
    "replicated_deduplication_window_seconds = 604800",
}

_ENTRIES: Final = (
    "SELECT entry.1 AS number, entry.2 AS name"
    " FROM (SELECT arrayJoin(arrayZip({numbers:Array(UInt32)}, {names:Array(String)})) AS entry)"
)


class ClickHouseSchema:
    """The tables and views of one database."""

    def __init__(self, clickhouse: ClickHouse, settings: ClickHouseSettings) -> None:
        self._clickhouse = clickhouse
        self._database = settings.database
        self._engine = settings.engine
        self._window = _WINDOWS[settings.engine].format(frames=settings.deduplication_window_frames)
        self._tables = EventTables(clickhouse, self._database, engine=self._engine, window=self._window)

    async def apply(self, retention_days: int, catalog: Catalog) -> None:
        """Runs the migrations that are due, lets tables follow the messages, sets retention and catalog.

        SchemaError if it must not.
        """
        await self._create_ledger()
        for migration in due(read_migrations(), await self._applied()):
            await self._run(migration, retention_days)
        await self._tables.apply(retention_days)
        for kind in Kind:
            await self._retain(kind.table, retention_days)
        await self._replace_catalog(retention_days, catalog)

    async def _create_ledger(self) -> None:
        database = self._database
        await self._clickhouse.command(f"CREATE DATABASE IF NOT EXISTS {database}")
        await self._clickhouse.command(
            f"CREATE TABLE IF NOT EXISTS {database}.schema_migrations"
            " (id UInt16, checksum String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))"
            f" ENGINE = {self._engine} ORDER BY id"
        )

    async def _applied(self) -> dict[int, str]:
        query = f"SELECT id, checksum FROM {self._database}.schema_migrations"  # noqa: S608 - an Identifier
        return {int(number): str(checksum) for number, checksum in await self._clickhouse.rows(query)}

    async def _run(self, migration: Migration, retention_days: int) -> None:
        parameters = {
            "database": self._database,
            "engine": self._engine,
            "deduplication_window": self._window,
            "retention_days": str(retention_days),
        }
        for statement in migration.statements(parameters):
            await self._clickhouse.command(statement)
        # Recorded last: a crash before this line runs the same statements again, and each is safe to repeat.
        await self._clickhouse.command(
            f"INSERT INTO {self._database}.schema_migrations (id, checksum)"
            " SELECT {id:UInt16}, {checksum:String}",
            {"id": migration.number, "checksum": migration.checksum},
        )
        _log.info("migration_applied", migration=migration.number)

    async def _retain(self, table: str, retention_days: int) -> None:
        """Sets the table's TTL where it differs, and reads it back."""
        if await self._has_retention(table, retention_days):
            return
        await self._clickhouse.command(
            f"ALTER TABLE {self._database}.{table}"
            f" MODIFY TTL toStartOfDay(started_at) + toIntervalDay({retention_days})"
        )
        if not await self._has_retention(table, retention_days):
            raise SchemaError(f"the store kept another retention for the table {table}.")
        _log.info("retention_changed", retention_days=retention_days)

    async def _has_retention(self, table: str, retention_days: int) -> bool:
        rows = await self._clickhouse.rows(
            "SELECT count() FROM system.tables WHERE database = {database:String} AND name = {table:String}"
            " AND position(engine_full, {ttl:String}) > 0",
            {
                "database": self._database,
                "table": table,
                "ttl": f"TTL toStartOfDay(started_at) + toIntervalDay({retention_days})",
            },
        )
        return bool(rows[0][0])

    async def _replace_catalog(self, retention_days: int, catalog: Catalog) -> None:
        """Replaces each table whole, in one step, by what the configuration says."""
        await self._replace_names("catalog_regions", catalog.region_names)
        await self._replace_names("catalog_models", catalog.model_names)
        await self._clickhouse.command(
            f"CREATE OR REPLACE TABLE {self._database}.catalog_retention (retention_days UInt16)"
            f" ENGINE = {self._engine} ORDER BY retention_days AS SELECT {{days:UInt16}} AS retention_days",
            {"days": retention_days},
        )

    async def _replace_names(self, table: str, names: Mapping[int, str]) -> None:
        definition = f"{self._database}.{table} (number UInt32, name String) ENGINE = {self._engine}"
        await self._clickhouse.command(
            f"CREATE OR REPLACE TABLE {definition} ORDER BY number AS {_ENTRIES}",
            {"numbers": list(names), "names": list(names.values())},
        )


def read_migrations() -> tuple[Migration, ...]:
    """Returns the SQL files that are installed with this package, in their order."""
    folder = files("pipelines.usage").joinpath("schema")
    return tuple(
        Migration.read(entry.name, entry.read_text(encoding="utf-8"))
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".sql")
    )
