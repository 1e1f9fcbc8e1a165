"""A real PostgreSQL says which tables it has, to who has its password."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.adapters.doctor.key_tables import KeysAwayError, newest_revision, revision_of
from services.router.adapters.key_database import on_postgres
from services.router.adapters.key_schema import HEAD
from tests.postgres import Database, postgres_server


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with postgres_server() as server, server.database() as database:
        yield database


def test_the_newest_is_that_which_routers_migrate_to() -> None:
    assert newest_revision() == HEAD


def test_the_tables_of_a_router_are_of_its_revision_and_an_empty_database_has_none(
    database: Database,
) -> None:
    password = str(database.password_file)
    assert revision_of(database.url, password) is None
    on_postgres(database.url, database.password_file).dispose()
    assert revision_of(database.url, password) == HEAD
    # As SQLAlchemy writes it.
    assert revision_of(database.url.replace("postgresql:", "postgresql+psycopg:"), password) == HEAD


def test_a_server_that_refuses_or_is_not_there_is_away(database: Database, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong\n")
    for url, file in (
        (database.url, str(tmp_path / "wrong")),
        (database.url, str(tmp_path / "absent")),
        (f"postgresql://comptoir@localhost/keys?host={tmp_path}", None),
    ):
        with pytest.raises(KeysAwayError):
            revision_of(url, file)
