"""Keys in SQLite keep the contract of all key stores, survive a restart, and are read by their owner only."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.sql_keys import SqlKeys
from services.router.adapters.tables import MIGRATIONS
from services.router.domain.ports import KeyStore
from services.router.domain.tenancy import Priority, Quota
from services.runtime.settings import SettingsError
from tests.contracts.key_store import DIGEST, KeyStoreContract, store_key
from tests.fakes.router import MemoryKeys

# The tables as version 1 made them, with a tenant.
VERSION_1 = """
CREATE TABLE schema_version (version INTEGER NOT NULL, PRIMARY KEY (version));
CREATE TABLE tenants (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, name VARCHAR(64) NOT NULL,
  home_region INTEGER NOT NULL, created_at_seconds BIGINT NOT NULL, is_disabled BOOLEAN NOT NULL,
  UNIQUE (name));
CREATE TABLE keys (number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, tenant_number INTEGER NOT NULL,
  digest BLOB NOT NULL, label VARCHAR(64) NOT NULL, requests_per_minute BIGINT NOT NULL,
  tokens_per_minute BIGINT NOT NULL, concurrency BIGINT NOT NULL, created_at_seconds BIGINT NOT NULL,
  expires_at_seconds BIGINT NOT NULL, revoked_at_seconds BIGINT NOT NULL, UNIQUE (digest),
  FOREIGN KEY(tenant_number) REFERENCES tenants (number));
CREATE INDEX ix_keys_tenant_number ON keys (tenant_number);
CREATE TABLE key_models (key_number INTEGER NOT NULL, model_number INTEGER NOT NULL,
  PRIMARY KEY (key_number, model_number), FOREIGN KEY(key_number) REFERENCES keys (number));
INSERT INTO schema_version VALUES (1);
INSERT INTO tenants VALUES (1, 'acme', 1, 50, 0);
"""

FILES = ("router.sqlite", "router.sqlite-wal", "router.sqlite-shm")


class TestMemoryKeys(KeyStoreContract):
    @pytest.fixture
    def store(self) -> KeyStore:
        return MemoryKeys()


class TestSqlKeys(KeyStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[KeyStore]:
        store = SqlKeys(tmp_path / "router.sqlite")
        yield store
        store.close()


async def test_keys_are_there_after_a_restart_that_closed_nothing(tmp_path: Path) -> None:
    killed = SqlKeys(tmp_path / "router.sqlite")
    created = await store_key(killed)
    restarted = SqlKeys(tmp_path / "router.sqlite")
    assert await restarted.find(DIGEST) == created
    restarted.close()
    killed.close()


async def test_only_the_owner_may_read_the_file_and_its_journal(tmp_path: Path) -> None:
    store = SqlKeys(tmp_path / "router.sqlite")
    await store_key(store)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES}
    store.close()
    assert modes == dict.fromkeys(FILES, 0o600)


async def test_a_store_that_cannot_be_read_is_unavailable_and_says_nothing_of_the_query(
    tmp_path: Path,
) -> None:
    store = SqlKeys(tmp_path / "router.sqlite")
    store._engine.dispose()
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "router.sqlite").mkdir()
    with pytest.raises(ComptoirError) as failure:
        await store.find(DIGEST)
    assert failure.value.reason is Reason.UNAVAILABLE
    assert failure.value.__suppress_context__


@pytest.mark.parametrize("content", [b"not a database, by any means" * 100, None])
def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "router.sqlite"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^the database file router\.sqlite cannot be opened"):
        SqlKeys(file)


def test_a_file_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.router.adapters.sql_keys.SCHEMA_VERSION", 99)
    SqlKeys(tmp_path / "router.sqlite").close()
    monkeypatch.undo()
    with pytest.raises(SettingsError, match="another version"):
        SqlKeys(tmp_path / "router.sqlite")


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    file = tmp_path / "router.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(VERSION_1)
    with connection:
        connection.execute("INSERT INTO keys VALUES (1, 1, ?, 'old', 60, 0, 3, 100, 0, 0)", (DIGEST,))
    connection.close()
    return file


async def test_keys_of_an_older_file_are_kept_and_may_claim_what_they_could(old_file: Path) -> None:
    for _start in range(2):
        store = SqlKeys(old_file)
        key = await store.find(DIGEST)
        store.close()
        assert key is not None
        assert (key.label, key.quota, key.best_priority) == (
            "old",
            Quota(requests_per_minute=60, tokens_per_minute=0, concurrency=3),
            Priority.INTERACTIVE,
        )
    store = SqlKeys(old_file)
    created = await store_key(store, digest=bytes(32))
    assert (created.number, created.best_priority) == (2, Priority.BATCH)
    store.close()


def test_a_migration_that_breaks_off_leaves_the_older_file_as_it_was(
    old_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = MIGRATIONS[1]
    monkeypatch.setitem(MIGRATIONS, 1, f"{whole} CHECK (no_such_column)")
    with pytest.raises(SettingsError):
        SqlKeys(old_file)
    connection = sqlite3.connect(old_file)
    assert connection.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
    connection.close()
    monkeypatch.setitem(MIGRATIONS, 1, whole)
    SqlKeys(old_file).close()
