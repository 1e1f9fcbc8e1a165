"""What was spent, in SQLite and in PostgreSQL, keeps the contract of all records of spending."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.key_database import on_file, on_postgres
from services.router.adapters.sql_spending import SqlSpending
from services.router.domain.amount import Amount
from services.router.domain.spending_book import SpendingRecords
from tests.contracts.spending_records import DAY, SpendingRecordsContract
from tests.fakes.spending import MemoryRecords
from tests.postgres import Database


class TestMemoryRecords(SpendingRecordsContract):
    @pytest.fixture
    def records(self) -> SpendingRecords:
        return MemoryRecords()


class TestSpendingInSqlite(SpendingRecordsContract):
    @pytest.fixture
    def records(self, tmp_path: Path) -> Iterator[SpendingRecords]:
        engine = on_file(tmp_path / "router.sqlite")
        yield SqlSpending(engine)
        engine.dispose()


class TestSpendingInPostgres(SpendingRecordsContract):
    @pytest.fixture
    def records(self, database: Database) -> Iterator[SpendingRecords]:
        engine = on_postgres(database.url, database.password_file)
        yield SqlSpending(engine)
        engine.dispose()


async def test_a_database_that_cannot_be_used_is_unavailable_and_says_nothing_of_the_query(
    tmp_path: Path,
) -> None:
    engine = on_file(tmp_path / "router.sqlite")
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE spending")
    records = SqlSpending(engine)
    for call in (records.read([DAY]), records.write({DAY: Amount(1)})):
        with pytest.raises(ComptoirError) as failure:
            await call
        assert failure.value.reason is Reason.KEYS_UNAVAILABLE
        assert failure.value.__cause__ is None
    engine.dispose()


async def test_a_call_under_way_when_the_database_is_closed_leaves_no_connection_open(tmp_path: Path) -> None:
    engine = on_file(tmp_path / "router.sqlite")
    records, pool = SqlSpending(engine), engine.pool
    is_reading, may_end = threading.Event(), threading.Event()

    @event.listens_for(engine, "after_cursor_execute")
    def wait(*_: object) -> None:
        is_reading.set()
        assert may_end.wait(10)

    reading = asyncio.create_task(records.read([DAY]))
    await asyncio.to_thread(is_reading.wait, 10)
    engine.dispose()
    may_end.set()
    assert await asyncio.wait_for(reading, 10) == {}
    await records.write({DAY: Amount(1)})
    assert [one.checkedin() for one in (pool, engine.pool) if isinstance(one, QueuePool)] == [0, 0]
