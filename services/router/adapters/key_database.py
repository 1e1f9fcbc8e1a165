"""Opens the database of the key store: a SQLite file, or one of a PostgreSQL server."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, Pool

from services.router.adapters.key_schema import UnknownRevisionError, migrate
from services.runtime.new_file import new_file
from services.runtime.settings import SettingsError

_JOURNAL: Final = "PRAGMA journal_mode=WAL"
_PRAGMAS: Final = (
    _JOURNAL,
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=2000",
)
# How long a start waits for another router that makes the tables, for which it may import Alembic first.
_START_WAIT_MILLISECONDS: Final = 30_000
# A server that starts beside the router is tried again for as long as this.
_TRIES: Final = 20
_SECONDS_BETWEEN_TRIES: Final = 0.5
# What no call of a store waits longer for, whether the server is busy, locked or gone without a word.
_CALL_MILLISECONDS: Final = 5000
# Any number, as long as every version has the same.
_TABLES_LOCK: Final = 0x636F6D70746F6972
_POSTGRES: Final = {
    "application_name": "comptoir-router",
    "connect_timeout": 5,
    "tcp_user_timeout": _CALL_MILLISECONDS,
    "options": f"-c statement_timeout={_CALL_MILLISECONDS} -c lock_timeout=2000 -c timezone=UTC",
    # What is prepared on the server is lost behind a pooler that gives each transaction another connection.
    "prepare_threshold": None,
}


def open_database(file: Path | None, url: str, password_file: Path | None) -> Engine:
    """Returns the tables of this version at `url`, or in `file` where that is empty; raises as those do."""
    if url:
        return on_postgres(url, password_file)
    if file is None:
        raise SettingsError("database_file or database_url must say where keys are.")
    return on_file(file)


def on_file(file: Path) -> Engine:
    """Returns the tables of this version in one SQLite file, which only its owner may read.

    SettingsError where the file cannot be opened, or is of a later version.
    """
    what = f"the database file {file.name}"
    try:
        _create(file)
        engine = _sqlite(file)
        event.listen(engine, "connect", _prepare)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={_START_WAIT_MILLISECONDS}")
            # Begun here and not by the driver, which begins with the first row that is written: so the
            # tables are changed in the transaction too, and by one router at a time.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            migrate(connection)
        # The next connection waits no longer than a call may.
        engine.dispose()
    except (OSError, SQLAlchemyError):
        raise SettingsError(f"{what} cannot be opened or written.") from None
    except UnknownRevisionError:
        raise SettingsError(f"{what} was written by another version of the router.") from None
    return engine


def on_postgres(
    url: str, password_file: Path | None, *, sleep: Callable[[float], None] = time.sleep
) -> Engine:
    """Returns the tables of this version in a database of a PostgreSQL server.

    SettingsError where it does not answer for some seconds, or refuses, or is of a later version.
    """
    engine = _postgres(make_url(url).set(drivername="postgresql+psycopg"), password_file)
    try:
        _migrate_when_it_answers(engine, sleep)
    except (OSError, SQLAlchemyError):
        engine.dispose()
        raise SettingsError("the database of `database_url` cannot be reached, opened or written.") from None
    except UnknownRevisionError:
        engine.dispose()
        raise SettingsError(
            "the database of `database_url` was written by another version of the router."
        ) from None
    return engine


def begin_reading(session: Session) -> None:
    """Has all that a transaction reads be of one moment.

    A key that is deleted between its row and its scopes would be one for every model, endpoint and region.
    """
    if session.get_bind().dialect.name == "sqlite":
        # Its driver begins with the first row that is written.
        session.connection().exec_driver_sql("BEGIN")
    else:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _create(file: Path) -> None:
    """Makes the file where it is missing, for its owner only; SQLite gives its journal the same mode."""
    if file.exists():
        return
    # It gets its name once its journal is set: where several routers set that of one file, SQLite lets the
    # first and fails the others, however long they would wait.
    with new_file(file) as aside, _sqlite(aside, poolclass=NullPool).connect() as connection:
        connection.exec_driver_sql(_JOURNAL)


def _sqlite(file: Path, *, poolclass: type[Pool] | None = None) -> Engine:
    return create_engine(f"sqlite:///{file}", hide_parameters=True, poolclass=poolclass)


def _prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _postgres(url: URL, password_file: Path | None) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args=_POSTGRES,
        pool_size=4,
        max_overflow=4,
        pool_timeout=2,
        # A connection that the server closed meanwhile is replaced before a call has it.
        pool_pre_ping=True,
    )

    def give_password(
        _dialect: Any, _record: Any, _args: Any, settings: dict[str, Any]
    ) -> None:  # the event's own
        # Read for each connection: a password that changed needs no restart.
        if password_file is not None:
            settings["password"] = password_file.read_text(encoding="utf-8").strip()

    event.listen(engine, "do_connect", give_password)
    return engine


def _lock_tables(connection: Connection) -> None:
    """Waits until no other router makes tables; the end of the transaction lets the next one."""
    for bound in ("lock_timeout", "statement_timeout"):
        connection.exec_driver_sql(f"SET LOCAL {bound} = {_START_WAIT_MILLISECONDS}")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TABLES_LOCK})")


def _migrate_when_it_answers(engine: Engine, sleep: Callable[[float], None]) -> None:
    for tries_left in reversed(range(_TRIES)):
        try:
            connection = engine.connect()
        except OperationalError:
            if not tries_left:
                raise
            sleep(_SECONDS_BETWEEN_TRIES)
        else:
            with connection, connection.begin():
                _lock_tables(connection)
                migrate(connection)
            return
