"""Tables of every earlier router become those of this one, all or nothing; later ones are refused."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from services.router.adapters import key_schema
from services.router.adapters.key_database import on_file, open_database
from services.router.adapters.sql_keys import SqlKeys
from services.router.adapters.tables import Table
from services.router.domain.tenancy import UNLIMITED, Priority, Quota
from services.runtime.settings import SettingsError
from tests.contracts.key_store import DIGEST, store_key
from tests.postgres import Database

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

# What made them version 2.
VERSION_2 = """
ALTER TABLE keys ADD COLUMN best_priority INTEGER NOT NULL DEFAULT 0;
UPDATE schema_version SET version = 2;
"""

BROKEN = """
from alembic import op

revision, down_revision = "9999", "HEAD"


def upgrade():
    op.execute("CREATE TABLE half (number INTEGER)")
    op.execute("INSERT INTO tenants (no_such_column) VALUES (1)")
"""


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "router.sqlite"


@pytest.fixture(params=[1, 2])
def old_file(file: Path, request: pytest.FixtureRequest) -> Path:
    connection = sqlite3.connect(file)
    connection.executescript(VERSION_1)
    with connection:
        connection.execute("INSERT INTO keys VALUES (1, 1, ?, 'old', 60, 0, 3, 100, 0, 0)", (DIGEST,))
    if request.param > 1:
        connection.executescript(VERSION_2)
    connection.close()
    return file


async def test_keys_of_an_older_file_are_kept_and_may_claim_what_they_could(old_file: Path) -> None:
    for _start in range(2):
        store = SqlKeys(on_file(old_file))
        key = await store.find(DIGEST)
        store.close()
        assert key is not None
        assert (key.label, key.quota, key.best_priority) == (
            "old",
            Quota(requests_per_minute=60, tokens_per_minute=0, concurrency=3),
            Priority.INTERACTIVE,
        )
    store = SqlKeys(on_file(old_file))
    created = await store_key(store, digest=bytes(32))
    assert (created.number, created.best_priority) == (2, Priority.BATCH)
    store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(file: Path, request: pytest.FixtureRequest) -> tuple[Path | None, str, Path | None]:
    """Where a router finds its database, in both kinds, as `open_database` is told."""
    if request.param == "sqlite":
        return (file, "", None)
    database: Database = request.getfixturevalue("database")
    return (None, database.url, database.password_file)


# What tables of any revision hold of a tenant and a key; each has some of these columns.
CONTENT: dict[str, dict[str, Any]] = {
    "tenants": {
        "number": 1,
        "name": "acme",
        "home_region": 1,
        "created_at_seconds": 50,
        "is_disabled": False,
    },
    "keys": {
        "number": 1,
        "tenant_number": 1,
        "digest": DIGEST,
        "label": "old",
        "requests_per_minute": 60,
        "tokens_per_minute": 0,
        "concurrency": 3,
        "created_at_seconds": 100,
        "expires_at_seconds": 0,
        "revoked_at_seconds": 0,
        "best_priority": 20,
        "is_disabled": False,
        "previous_until_seconds": 0,
        "last_used_seconds": 3600,
    },
    "key_models": {"key_number": 1, "model_number": 2},
}
REVISIONS = ["0001", "0002", "0003", "0004", "0005", "0006"]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_store_of_every_earlier_revision_keeps_what_it_holds(
    place: tuple[Path | None, str, Path | None],
    revision: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(key_schema.FOLDER, tmp_path / "migrations")
    for file in (tmp_path / "migrations" / "versions").glob("r*.py"):
        if file.name[1:5] > revision:
            file.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(key_schema, "FOLDER", tmp_path / "migrations")
        engine = open_database(*place)
    with engine.begin() as connection:
        for name, content in CONTENT.items():
            table = sa.Table(name, sa.MetaData(), autoload_with=connection)
            known = {column: value for column, value in content.items() if column in table.columns}
            connection.execute(table.insert().values(known))
    engine.dispose()
    store = SqlKeys(open_database(*place))
    key = await store.find(DIGEST)
    assert key is not None
    assert (key.label, key.models, key.tenant.name) == ("old", frozenset({2}), "acme")
    assert key.quota == Quota(requests_per_minute=60, tokens_per_minute=0, concurrency=3)
    assert (key.tenant.quota, key.last_used_seconds) == (UNLIMITED, 3600 if revision >= "0004" else 0)
    assert await store.limit_tenant("acme", Quota(tokens_per_month=2**47)) == await store.tenant("acme")
    assert key.best_priority is (Priority.INTERACTIVE if revision == "0001" else Priority.BATCH)
    store.close()


def test_every_earlier_revision_is_tried() -> None:
    config = Config()
    config.set_main_option("script_location", str(key_schema.FOLDER))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert known == sorted({*REVISIONS, key_schema.HEAD}, reverse=True)


def test_the_revisions_make_the_tables_that_the_store_uses(
    place: tuple[Path | None, str, Path | None],
) -> None:
    engine = open_database(*place)
    with engine.connect() as connection:
        ours = {table.name for table in Table.metadata.sorted_tables}
        options = {"include_name": lambda name, kind, _parents: kind != "table" or name in ours}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Table.metadata)
    engine.dispose()
    assert found == []


def test_the_newest_revision_is_the_one_that_a_start_looks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(key_schema.FOLDER))
    assert ScriptDirectory.from_config(config).get_heads() == [key_schema.HEAD]


def test_a_start_with_nothing_to_do_does_without_the_tool(file: Path) -> None:
    on_file(file).dispose()
    script = (
        "import sys, pathlib; from services.router.adapters.key_database import on_file; "
        "on_file(pathlib.Path(sys.argv[1])).dispose(); print('alembic' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(file)], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout.strip() == "False"


def test_a_file_with_a_later_revision_is_refused(file: Path) -> None:
    on_file(file).dispose()
    change(file, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match="another version"):
        on_file(file)


def test_a_file_whose_own_row_has_an_unknown_version_is_refused(old_file: Path) -> None:
    change(old_file, "UPDATE schema_version SET version = 99")
    with pytest.raises(SettingsError, match="another version"):
        on_file(old_file)


def test_routers_of_before_find_a_version_that_they_refuse(old_file: Path) -> None:
    on_file(old_file).dispose()
    assert rows(old_file, "SELECT version FROM schema_version") == [(3,)]


def test_a_file_whose_tables_were_made_and_whose_row_was_not_is_taken(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(VERSION_1 + VERSION_2)
    change(file, "DELETE FROM schema_version")
    on_file(file).dispose()
    assert rows(file, "SELECT version_num FROM alembic_version") == [(key_schema.HEAD,)]


def broken_start(
    place: tuple[Path | None, str, Path | None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start whose last revision fails."""
    shutil.copytree(key_schema.FOLDER, folder)
    (folder / "versions" / "r9999_broken.py").write_text(BROKEN.replace("HEAD", key_schema.HEAD))
    with monkeypatch.context() as patched:
        patched.setattr(key_schema, "FOLDER", folder)
        with pytest.raises(SettingsError, match="opened or written"):
            open_database(*place)


async def test_a_migration_that_breaks_off_leaves_the_older_file_as_it_was(
    old_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = "SELECT name, sql FROM sqlite_master ORDER BY name"
    before = rows(old_file, everything)
    broken_start((old_file, "", None), tmp_path / "100% migrations", monkeypatch)
    assert rows(old_file, everything) == before
    store = SqlKeys(on_file(old_file))
    assert await store.find(DIGEST) is not None
    store.close()


def test_a_migration_that_breaks_off_leaves_a_new_file_empty(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_start((file, "", None), tmp_path / "migrations", monkeypatch)
    assert rows(file, "SELECT name FROM sqlite_master") == []
    on_file(file).dispose()
    assert rows(file, "SELECT version_num FROM alembic_version") == [(key_schema.HEAD,)]


def test_a_migration_that_breaks_off_leaves_a_new_database_empty(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_start((None, database.url, database.password_file), tmp_path / "migrations", monkeypatch)
    with database.connect() as connection:
        assert connection.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'").fetchall() == []
