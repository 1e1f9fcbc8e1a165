"""The event tables follow the messages: each kind has its table, and each field a column that holds it.

What is there is only ever widened. Why no numbered file does this is in
`docs/adr/0018-event-tables-follow-the-messages.md`.
"""

from collections.abc import Mapping
from typing import Final

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.domain.columns import enum_type, members_of, widened
from pipelines.usage.domain.errors import Fault, SchemaError
from pipelines.usage.wire import columns_of
from services.contract.events import Kind
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_KINDS: Final = enum_type({int(kind): kind.label for kind in Kind})
_FAULTS: Final = enum_type({0: "none", **{int(fault): fault.name.lower() for fault in Fault}})
# What other tables say of kinds and faults.
ENUMS_BESIDE: Final = (
    ("dead_letters", "kind", _KINDS),
    ("dead_letters", "reason", _FAULTS),
    ("pipeline_progress", "kind", _KINDS),
    ("pipeline_progress", "pause", _FAULTS),
)

_TABLE: Final = """CREATE TABLE IF NOT EXISTS {name}
(
    {columns},
    started_at DateTime64(6, 'UTC')
        MATERIALIZED fromUnixTimestamp64Micro(toInt64(started_at_microseconds), 'UTC'),
    ingested_at DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC'),
    CONSTRAINT is_counted CHECK producer_sequence > 0 AND region > 0
)
ENGINE = {engine}
PARTITION BY toDate(started_at)
ORDER BY ({order})
TTL toStartOfDay(started_at) + toIntervalDay({retention_days})
SETTINGS ttl_only_drop_parts = 1, merge_with_ttl_timeout = 3600, fsync_after_insert = 1, {window}"""


class EventTables:
    """The tables of all kinds in one database."""

    def __init__(self, clickhouse: ClickHouse, database: str, *, engine: str, window: str) -> None:
        self._clickhouse = clickhouse
        self._database = database
        self._engine = engine
        self._window = window

    async def apply(self, retention_days: int) -> None:
        """Makes what is missing and widens what is too narrow; SchemaError where the store contradicts."""
        stored = await self._stored()
        for kind in Kind:
            if kind.table in stored:
                await self._follow(kind, stored[kind.table])
            else:
                await self._clickhouse.command(self.definition(kind, retention_days))
                _log.info("table_created", kind=kind.label)
        for table, column, wanted in ENUMS_BESIDE:
            await self._widen(table, column, stored[table][column], wanted)
        await self._replace_sequences()

    def definition(self, kind: Kind, retention_days: int) -> str:
        """Returns the statement that makes the kind's table."""
        columns = columns_of(kind)
        return _TABLE.format(
            name=f"{self._database}.{kind.table}",
            columns=",\n    ".join(f"{name} {column}" for name, column in columns.items()),
            engine=self._engine,
            order=", ".join(["region", *(["model"] if "model" in columns else []), "started_at"]),
            retention_days=retention_days,
            window=self._window,
        )

    async def _stored(self) -> Mapping[str, Mapping[str, str]]:
        """Returns the types of all columns, by table and name."""
        rows = await self._clickhouse.rows(
            "SELECT table, name, type FROM system.columns WHERE database = {database:String}",
            {"database": self._database},
        )
        tables: dict[str, dict[str, str]] = {}
        for table, name, column in rows:
            tables.setdefault(str(table), {})[str(name)] = str(column)
        return tables

    async def _follow(self, kind: Kind, stored: Mapping[str, str]) -> None:
        before = ""
        for name, wanted in columns_of(kind).items():
            if name in stored:
                await self._widen(kind.table, name, stored[name], wanted)
            else:
                await self._add(kind.table, name, wanted, before)
            before = name

    async def _add(self, table: str, name: str, wanted: str, before: str) -> None:
        members = members_of(wanted)
        if members and 0 not in members:
            raise SchemaError(f"{table} has rows without {name}, so its enum must admit 0.")
        await self._clickhouse.command(
            f"ALTER TABLE {self._database}.{table} ADD COLUMN IF NOT EXISTS {name} {wanted} AFTER {before}"
        )
        _log.info("column_added", field=f"{table}.{name}")

    async def _widen(self, table: str, name: str, stored: str, wanted: str) -> None:
        column = widened(f"{table}.{name}", stored, wanted)
        if column == stored:
            return
        await self._clickhouse.command(f"ALTER TABLE {self._database}.{table} MODIFY COLUMN {name} {column}")
        _log.info("column_widened", field=f"{table}.{name}")

    async def _replace_sequences(self) -> None:
        """Makes the view over the tables of all kinds that `completeness` reads."""
        selects = (
            f"SELECT '{kind.label}' AS kind, producer_id, producer_sequence, started_at"  # noqa: S608 - ours
            f" FROM {self._database}.{kind.table}"
            for kind in Kind
        )
        await self._clickhouse.command(
            f"CREATE OR REPLACE VIEW {self._database}.event_sequences AS {' UNION ALL '.join(selects)}"
        )
