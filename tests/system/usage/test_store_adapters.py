"""The store under the contract of its port, and the schema as it keeps it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_schema import ClickHouseSchema, read_migrations
from pipelines.usage.adapters.clickhouse_store import ClickHouseStore
from pipelines.usage.domain.dead_letter import DeadLetter
from pipelines.usage.domain.errors import BadFrameError, Fault, SchemaError, UnavailableError
from pipelines.usage.domain.frame import decode
from pipelines.usage.domain.ports import KindProgress, Partition, Record
from pipelines.usage.settings import ClickHouseSettings
from services.contract.events import Kind
from services.contract.frame import Frame
from services.kernel.catalog import Catalog, FormerName, Model, Region
from services.kernel.clock import SystemClock
from services.kernel.errors import Reason
from services.kernel.identity import Identity
from tests.contracts.usage_ports import (
    EventStoreContract,
    Rows,
)
from tests.pipelines.usage.frames import PRODUCER, body, event, value
from tests.system.clickhouse_process import ClickHouseProcess

pytestmark = pytest.mark.system

CATALOG = Catalog(
    regions=(Region(number=1, name="eu-fr"),),
    models=(Model(number=1, name="it's a \\ model", context_tokens=8, max_output_tokens=8),),
)


@pytest.fixture
def store_settings(clickhouse: ClickHouseProcess) -> ClickHouseSettings:
    """Settings with a database that no other test uses."""
    return ClickHouseSettings.model_validate(
        {
            "url": clickhouse.url,
            "password_file": Path(clickhouse.folder / "writer-password"),
            "database": f"test_{Identity.random().hex}",
        }
    )


@pytest.fixture
async def connection(store_settings: ClickHouseSettings) -> AsyncIterator[ClickHouse]:
    opened = ClickHouse(store_settings)
    yield opened
    await opened.close()


@pytest.fixture
async def schema(connection: ClickHouse, store_settings: ClickHouseSettings) -> ClickHouseSchema:
    made = ClickHouseSchema(connection, store_settings)
    await made.apply(30, CATALOG)
    return made


@pytest.fixture
async def store(
    schema: ClickHouseSchema, connection: ClickHouse, store_settings: ClickHouseSettings
) -> ClickHouseStore:
    return ClickHouseStore(connection, store_settings.database)


@pytest.fixture
def read(connection: ClickHouse, store_settings: ClickHouseSettings) -> Callable[[str], Awaitable[Any]]:
    async def rows_of(query: str) -> list[tuple[Any, ...]]:
        filled = query.replace("DATABASE", store_settings.database)
        return [tuple(row) for row in await connection.rows(filled)]

    return rows_of


class TestClickHouseStore(EventStoreContract):
    @pytest.fixture
    def now(self) -> int:
        return SystemClock().wall_microseconds()

    @pytest.fixture
    def rows(self, read: Callable[[str], Awaitable[Any]]) -> Rows:
        async def rows_of(kind: Kind) -> list[tuple[int, int]]:
            table = kind.table
            query = f"SELECT producer_id, producer_sequence FROM DATABASE.{table} ORDER BY ALL"  # noqa: S608 - ours
            found: list[tuple[int, int]] = await read(query)
            return found

        return rows_of

    @pytest.fixture
    def dead(
        self, read: Callable[[str], Awaitable[Any]]
    ) -> Callable[[], Awaitable[list[tuple[int, int, int]]]]:
        async def letters() -> list[tuple[int, int, int]]:
            query = "SELECT toUInt8(kind), partition, offset FROM DATABASE.dead_letters ORDER BY ALL"
            found: list[tuple[int, int, int]] = await read(query)
            return found

        return letters

    async def test_bytes_that_are_no_events_are_refused(self, store: ClickHouseStore) -> None:
        unreadable = Frame(Kind.GENERATION, 1, 1, 1, 1, 0, b"not a list of events")
        with pytest.raises(BadFrameError) as refused:
            await store.insert(unreadable)
        assert refused.value.store_code == 444

    async def test_a_row_without_a_sequence_is_refused(self, store: ClickHouseStore) -> None:
        uncounted = body(Kind.GENERATION, [event(Kind.GENERATION, 0)])
        with pytest.raises(BadFrameError) as refused:
            await store.insert(Frame(Kind.GENERATION, 1, 1, 1, 1, 0, uncounted))
        assert refused.value.store_code == 469

    async def test_a_table_that_lacks_a_column_refuses_and_is_not_a_store_that_is_away(
        self, store: ClickHouseStore, connection: ClickHouse, store_settings: ClickHouseSettings, now: int
    ) -> None:
        await connection.command(f"ALTER TABLE {store_settings.database}.generations DROP COLUMN attempt")
        frame = decode(value(started_at_microseconds=now), kind=Kind.GENERATION)
        with pytest.raises(BadFrameError) as refused:
            await store.insert(frame)
        assert refused.value.fault is Fault.STORE_REFUSED
        assert not refused.value.fault.is_corrupt


async def test_dead_letters_are_missing_rows_with_their_reason(
    store: ClickHouseStore, read: Callable[[str], Awaitable[Any]]
) -> None:
    now = SystemClock().wall_microseconds()
    await store.insert(decode(value(count=3, started_at_microseconds=now), kind=Kind.GENERATION))
    torn = [value(first=4, count=5), value(Kind.GENERATION, count=7, producer_id=77)]
    for offset, content in enumerate(torn):
        record = Record(Partition("comptoir.generation.v1", 0), offset, content[:-1] + b"x")
        await store.note_dead(Kind.GENERATION, DeadLetter.of(record, Fault.CHECKSUM_WRONG))
    unreadable = Record(Partition("comptoir.generation.v1", 0), 9, b"what somebody wrote")
    await store.note_dead(Kind.GENERATION, DeadLetter.of(unreadable, Fault.HEADER_TRUNCATED))
    query = (
        "SELECT producer_id, stored_rows, last_sequence, double_rows, missing_rows, dead_frames, dead_rows,"
        " dead_reasons, unreadable_frames FROM DATABASE.completeness ORDER BY producer_id"
    )
    assert await read(query) == [
        (77, 0, 0, 0, 7, 1, 7, ["checksum_wrong"], 1),
        (PRODUCER, 3, 3, 0, 5, 1, 5, ["checksum_wrong"], 1),
    ]


async def test_the_views_say_until_when_the_store_has_everything_and_what_it_waits_for(
    store: ClickHouseStore,
    connection: ClickHouse,
    store_settings: ClickHouseSettings,
    read: Callable[[str], Awaitable[Any]],
) -> None:
    now = SystemClock().wall_microseconds()
    await store.insert(decode(value(count=3, started_at_microseconds=now), kind=Kind.GENERATION))
    await store.note_progress([KindProgress(kind, 0, 0) for kind in Kind])
    query = (
        "SELECT kind, waiting_frames, behind_seconds < 30, paused_for, paused_offset"
        " FROM DATABASE.pipeline_lag WHERE kind = 'generation'"
    )
    assert await read(query) == [("generation", 0, 1, "", 0)]
    late = KindProgress(Kind.GENERATION, 4, now - 600_000_000, Fault.CLOCK_AHEAD, 3, 17)
    await store.note_progress([late])
    assert await read(query) == [("generation", 4, 0, "clock_ahead", 17)]
    # A store whose clock was fast dated this one.
    await connection.command(
        f"INSERT INTO {store_settings.database}.pipeline_progress (kind, waiting_frames, measured_at)"
        " SETTINGS insert_allow_materialized_columns = 1"
        " SELECT 2, 0, now64(3) + toIntervalDay(40)"
    )
    assert await read(query) == [("generation", 4, 0, "clock_ahead", 17)]
    query = (
        "SELECT waiting_frames, behind_seconds >= 600, dateDiff('second', newest_event_at, now64(3)) < 60,"
        " paused_for FROM DATABASE.completeness"
    )
    assert await read(query) == [(4, 1, 1, "clock_ahead")]


async def test_a_store_that_does_not_answer_is_a_matter_of_time(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("made-up")
    settings = ClickHouseSettings.model_validate(
        {"url": "http://127.0.0.1:9", "password_file": tmp_path / "password"}
    )
    with pytest.raises(UnavailableError):
        await ClickHouse(settings).rows("SELECT 1")


async def test_tables_that_are_not_there_yet_are_a_matter_of_time_for_progress_and_dead_letters(
    store: ClickHouseStore, connection: ClickHouse, store_settings: ClickHouseSettings
) -> None:
    for table in ("pipeline_progress", "dead_letters"):
        await connection.command(f"DROP TABLE {store_settings.database}.{table}")
    with pytest.raises(UnavailableError) as no_progress:
        await store.note_progress([KindProgress(Kind.GENERATION, 0, 0)])
    record = Record(Partition("comptoir.generation.v1", 0), 0, b"what somebody wrote")
    with pytest.raises(UnavailableError) as no_letters:
        await store.note_dead(Kind.GENERATION, DeadLetter.of(record, Fault.HEADER_TRUNCATED))
    unknown_table = 60
    assert no_progress.value.store_code == no_letters.value.store_code == unknown_table


async def test_a_wrong_password_is_a_matter_of_time_and_never_the_frames_fault(
    clickhouse: ClickHouseProcess, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("a-wrong-password-of-the-writer")
    settings = ClickHouseSettings.model_validate(
        {"url": clickhouse.url, "password_file": tmp_path / "password"}
    )
    with pytest.raises(UnavailableError):
        await ClickHouse(settings).rows("SELECT 1")


async def test_no_column_of_an_event_table_could_hold_text(
    schema: ClickHouseSchema, read: Callable[[str], Awaitable[Any]]
) -> None:
    tables = ", ".join(f"'{kind.table}'" for kind in Kind)
    types = await read(
        "SELECT DISTINCT type FROM system.columns"  # noqa: S608 - our names
        f" WHERE database = 'DATABASE' AND table IN ({tables})"
    )
    assert types
    for (name,) in types:
        assert name.startswith(("UInt", "Enum8(", "DateTime64(", "Bool")), name


async def test_the_schema_can_be_applied_again_and_again(
    schema: ClickHouseSchema, read: Callable[[str], Awaitable[Any]]
) -> None:
    gone = FormerName(number=7, name="was")
    await schema.apply(30, CATALOG.model_copy(update={"former_models": (gone,)}))
    assert await read("SELECT id, count() FROM DATABASE.schema_migrations GROUP BY id ORDER BY id") == [
        (number, 1) for number in range(1, len(read_migrations()) + 1)
    ]
    # Rows of a model that is gone keep its name.
    names = await read("SELECT number, name FROM DATABASE.catalog_models ORDER BY number")
    assert names == [(1, "it's a \\ model"), (7, "was")]
    assert await read("SELECT number, name FROM DATABASE.catalog_regions") == [(1, "eu-fr")]


async def test_every_reason_can_be_stored(
    schema: ClickHouseSchema, connection: ClickHouse, read: Callable[[str], Awaitable[Any]]
) -> None:
    database = schema._database
    columns = "region, producer_sequence, started_at_microseconds, endpoint, reason"
    now = SystemClock().wall_microseconds()
    for reason in Reason:
        await connection.command(
            f"INSERT INTO {database}.edge_requests ({columns}) SELECT 1, 1, {now}, 1, {int(reason)}"
        )
    assert await read("SELECT count(DISTINCT reason) FROM DATABASE.edge_requests") == [(len(Reason),)]


async def test_a_migration_that_a_crash_cut_off_is_run_again(
    schema: ClickHouseSchema, connection: ClickHouse, read: Callable[[str], Awaitable[Any]]
) -> None:
    database = schema._database
    await connection.command(f"TRUNCATE TABLE {database}.schema_migrations")
    await connection.command(f"DROP TABLE {database}.replica_load")
    await schema.apply(30, CATALOG)
    assert await read("SELECT count() FROM DATABASE.replica_load") == [(0,)]
    assert await read("SELECT count() FROM DATABASE.schema_migrations") == [(len(read_migrations()),)]


async def test_a_changed_migration_is_refused(schema: ClickHouseSchema, connection: ClickHouse) -> None:
    database = schema._database
    await connection.command(f"TRUNCATE TABLE {database}.schema_migrations")
    await connection.command(f"INSERT INTO {database}.schema_migrations (id, checksum) SELECT 1, 'other'")
    with pytest.raises(SchemaError, match="0001"):
        await schema.apply(30, CATALOG)


async def test_a_changed_retention_reaches_every_event_table_and_the_views(
    schema: ClickHouseSchema, read: Callable[[str], Awaitable[Any]]
) -> None:
    await schema.apply(7, CATALOG)
    ttl = await read(
        "SELECT countIf(position(engine_full, 'toIntervalDay(7)') > 0), countIf(engine_full LIKE '%TTL%')"
        " FROM system.tables WHERE database = 'DATABASE'"
        " AND name NOT IN ('dead_letters', 'pipeline_progress')"
    )
    assert ttl == [(len(Kind), len(Kind))]
    assert await read("SELECT retention_days FROM DATABASE.catalog_retention") == [(7,)]
