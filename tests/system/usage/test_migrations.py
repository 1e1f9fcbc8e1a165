"""A store that an earlier version filled is brought to this version's schema with its rows."""

from pathlib import Path

import pytest

from pipelines.usage import wire
from pipelines.usage.adapters import clickhouse_schema, clickhouse_store
from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_schema import ClickHouseSchema, read_migrations
from pipelines.usage.adapters.clickhouse_store import ClickHouseStore
from pipelines.usage.adapters.clickhouse_tables import EventTables
from pipelines.usage.domain.frame import decode
from pipelines.usage.domain.ports import KindProgress
from pipelines.usage.settings import ClickHouseSettings
from services.contract.events import Kind
from services.kernel.catalog import Catalog, Model, Region
from services.kernel.clock import SystemClock
from services.kernel.errors import Reason
from services.kernel.identity import Identity
from tests.pipelines.usage.frames import PRODUCER, value
from tests.system.clickhouse_process import ClickHouseProcess

pytestmark = pytest.mark.system

CATALOG = Catalog(
    regions=(Region(number=1, name="eu-fr"),),
    models=(Model(number=1, name="m", context_tokens=8, max_output_tokens=8),),
)
# The kinds that the numbered files make tables of; those that came later have theirs from the messages.
OLDEST = [kind for kind in Kind if kind <= Kind.REPLICA_LOAD]


async def _nothing(_tables: EventTables, _retention_days: int) -> None:
    """Earlier versions had their tables from the numbered files alone."""


@pytest.mark.parametrize("applied", range(4, len(read_migrations())))
async def test_a_store_with_rows_of_an_earlier_schema_keeps_them_and_takes_what_is_new(
    clickhouse: ClickHouseProcess, monkeypatch: pytest.MonkeyPatch, applied: int
) -> None:
    settings = ClickHouseSettings.model_validate(
        {
            "url": clickhouse.url,
            "password_file": Path(clickhouse.folder / "writer-password"),
            "database": f"test_{Identity.random().hex}",
        }
    )
    connection = ClickHouse(settings)
    schema, store = ClickHouseSchema(connection, settings), ClickHouseStore(connection, settings.database)
    now = SystemClock().wall_microseconds()
    with monkeypatch.context() as earlier:
        earlier.setattr(clickhouse_schema, "read_migrations", lambda: read_migrations()[:applied])
        earlier.setattr(EventTables, "apply", _nothing)
        earlier.setattr(clickhouse_schema, "Kind", OLDEST)
        await schema.apply(30, CATALOG)
    before = {kind: decode(value(kind, started_at_microseconds=now), kind=kind) for kind in OLDEST}
    columns = await connection.rows(
        f"SELECT table, name FROM system.columns WHERE database = '{settings.database}'"  # noqa: S608 - ours
    )
    with monkeypatch.context() as earlier:
        # An earlier version names no columns that came later.
        earlier.setattr(
            clickhouse_store,
            "field_names",
            lambda kind: [name for name in wire.field_names(kind) if (kind.table, name) in columns],
        )
        for frame in before.values():
            await store.insert(frame)
    await schema.apply(30, CATALOG)
    newest = max(Reason)
    await store.insert(
        decode(
            value(first=4, count=1, reason=int(newest), outcome=9, started_at_microseconds=now),
            kind=Kind.GENERATION,
        )
    )
    for frame in before.values():
        await store.insert(frame)  # its token is remembered
        assert len(await store.stored_of(frame)) == frame.count
    await store.note_progress([KindProgress(kind, 0, 0) for kind in Kind])
    rows = await connection.rows(
        "SELECT kind, stored_rows, double_rows, missing_rows, producer_id"  # noqa: S608 - names of ours
        f" FROM {settings.database}.completeness"
    )
    assert sorted(map(tuple, rows)) == [
        ("admission", 3, 0, 0, PRODUCER),
        ("edge_request", 3, 0, 0, PRODUCER),
        ("generation", 4, 0, 0, PRODUCER),
        ("replica_load", 3, 0, 0, PRODUCER),
    ]
    await connection.close()
