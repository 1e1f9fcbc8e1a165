"""Keys in SQLite and in PostgreSQL keep the contract of all key stores, and survive a restart."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.key_database import on_file, on_postgres
from services.router.adapters.sql_keys import SqlKeys
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import Endpoint, Key
from tests.contracts.key_changes import KeyChangesContract
from tests.contracts.key_store import DIGEST, KeyStoreContract, store_key
from tests.fakes.router import MemoryKeys
from tests.postgres import Database, PostgresServer

FILES = ("router.sqlite", "router.sqlite-wal", "router.sqlite-shm")


class TestMemoryKeys(KeyStoreContract, KeyChangesContract):
    @pytest.fixture
    def store(self) -> KeyStore:
        return MemoryKeys()


class TestKeysInSqlite(KeyStoreContract, KeyChangesContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KeyStore]:
        store = SqlKeys(on_file(tmp_path / "router.sqlite"))
        yield store
        store.close()


class TestKeysInPostgres(KeyStoreContract, KeyChangesContract):
    @pytest.fixture
    def store(self, database: Database) -> Iterator[KeyStore]:
        store = SqlKeys(on_postgres(database.url, database.password_file))
        yield store
        store.close()


async def test_keys_are_there_after_a_restart_that_closed_nothing(tmp_path: Path) -> None:
    killed = SqlKeys(on_file(tmp_path / "router.sqlite"))
    created = await store_key(killed)
    restarted = SqlKeys(on_file(tmp_path / "router.sqlite"))
    assert await restarted.find(DIGEST) == created
    restarted.close()
    killed.close()


async def test_a_store_that_cannot_be_read_is_unavailable_and_says_nothing_of_the_query(
    tmp_path: Path,
) -> None:
    store = SqlKeys(on_file(tmp_path / "router.sqlite"))
    store._engine.dispose()
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "router.sqlite").mkdir()
    with pytest.raises(ComptoirError) as failure:
        await store.find(DIGEST)
    assert failure.value.reason is Reason.KEYS_UNAVAILABLE
    assert failure.value.__suppress_context__


async def test_while_the_server_is_away_keys_are_unavailable_and_afterwards_there_again(
    postgres: PostgresServer, database: Database
) -> None:
    store = SqlKeys(on_postgres(database.url, database.password_file))
    created = await store_key(store)
    postgres.stop()
    with pytest.raises(ComptoirError) as failure:
        await store.find(DIGEST)
    assert failure.value.reason is Reason.KEYS_UNAVAILABLE
    postgres.start()
    assert await store.find(DIGEST) == created
    store.close()


async def test_a_password_file_that_is_gone_is_unavailable(database: Database, tmp_path: Path) -> None:
    password_file = tmp_path / "password"
    password_file.write_bytes(database.password_file.read_bytes())
    store = SqlKeys(on_postgres(database.url, password_file))
    store._engine.dispose()
    password_file.unlink()
    with pytest.raises(ComptoirError) as failure:
        await store.find(DIGEST)
    assert failure.value.reason is Reason.KEYS_UNAVAILABLE
    store.close()


async def test_a_call_under_way_when_the_store_closes_leaves_no_connection_open(tmp_path: Path) -> None:
    store = SqlKeys(on_file(tmp_path / "router.sqlite"))
    is_reading, may_end = threading.Event(), threading.Event()

    def slow(session: Session) -> int:
        number = session.scalar(text("SELECT 7"))
        is_reading.set()
        assert may_end.wait(10)
        return int(number or 0)

    reading = asyncio.create_task(store._run(slow))
    await asyncio.to_thread(is_reading.wait, 10)
    store.close()
    may_end.set()
    assert await asyncio.wait_for(reading, 10) == 7
    assert isinstance(store._pool, QueuePool)
    assert store._pool.checkedin() == 0


async def test_the_uses_of_many_keys_hold_the_file_for_a_part_of_them_at_a_time(tmp_path: Path) -> None:
    store = SqlKeys(on_file(tmp_path / "router.sqlite"))
    number = (await store_key(store)).number
    steps = []
    event.listen(store._engine, "before_cursor_execute", lambda *_: steps.append("statement"))
    event.listen(store._engine, "commit", lambda _: steps.append("commit"))
    await store.note_uses(dict.fromkeys(range(number, number + 1_001), 7200))
    assert steps == ["statement", "commit"] * 3
    assert (await store.key(number)).last_used_seconds == 7200
    store.close()


class ReadingContract:
    """Inherit it with a fixture `stores`: one store as two routers open it."""

    async def test_a_key_that_is_deleted_while_it_is_read_is_read_whole_or_not_at_all(
        self, stores: tuple[SqlKeys, SqlKeys]
    ) -> None:
        here, elsewhere = stores
        created = await store_key(here, endpoints=[Endpoint.EMBEDDINGS], regions=[1])
        deleted: list[Key] = []

        def delete(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            if "FROM keys" in statement and not deleted:
                deleted.append(asyncio.run(elsewhere.delete_key(created.number)))

        event.listen(here._engine, "after_cursor_execute", delete)
        assert await here.find(DIGEST) == created
        assert deleted == [created]
        assert await here.find(DIGEST) is None


class TestReadingSqlite(ReadingContract):
    @pytest.fixture
    def stores(self, tmp_path: Path) -> Iterator[tuple[SqlKeys, SqlKeys]]:
        here, elsewhere = (SqlKeys(on_file(tmp_path / "router.sqlite")) for _ in range(2))
        yield here, elsewhere
        here.close()
        elsewhere.close()


class TestReadingPostgres(ReadingContract):
    @pytest.fixture
    def stores(self, database: Database) -> Iterator[tuple[SqlKeys, SqlKeys]]:
        here, elsewhere = (SqlKeys(on_postgres(database.url, database.password_file)) for _ in range(2))
        yield here, elsewhere
        here.close()
        elsewhere.close()
