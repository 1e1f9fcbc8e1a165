"""The spool's SQLite file: its tables, how it is opened, and how it is known to be whole.

The write-ahead log is kept small on purpose: what it holds, the file has yet to grow by, and on a full disk
only the reserve is there for that (`reserve.py`).
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.emitter.adapters.spool import recent_ids
from services.emitter.domain.spool_format import Positions, decode_positions, encode_positions

FILE_NAME: Final = "spool.sqlite3"
LOCK_NAME: Final = "spool.lock"
_CHECKPOINT_PAGES: Final = 256
_LOG_BYTES: Final = 1024 * 1024

# A journal's row and each copy of the positions lie within a page, so both can be found without the tables.
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS journal (
  kind INTEGER NOT NULL, sequence INTEGER NOT NULL, record BLOB NOT NULL,
  PRIMARY KEY (kind, sequence)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS positions_copy (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1), value BLOB NOT NULL);
"""

# What says nothing about the file: locks, memory, permissions, a full or failing disk.
_NO_DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)


class DamagedError(Exception):
    """The file does not hold what was written to it."""


def is_damage(error: BaseException) -> bool:
    """Returns True if the file is not what was written; false if the disk only does not do as it is told."""
    if isinstance(error, DamagedError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Only Python's: bytes that pose as text and are none. Using a closed file is another class of error.
        return isinstance(error, sqlite3.OperationalError)
    return code & 0xFF not in _NO_DAMAGE


def is_full(error: BaseException) -> bool:
    """Returns True if the disk has no room; a quota that is used up fails as a write that fails."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_WRITE)


def connect(path: Path, *, is_flushed: bool) -> sqlite3.Connection:
    """Opens or makes a file, for this process alone."""
    is_new = not path.exists() or path.stat().st_size == 0
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    try:
        # Exclusive: a second emitter on the same spool would give out the same sequences again. It comes
        # first: without it, SQLite makes an index file beside the log, for which a full disk has no room.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        if is_new:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_flushed else 'NORMAL'}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        connection.execute("PRAGMA secure_delete = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def tables_of(connection: sqlite3.Connection) -> set[str]:
    """Returns the names of the file's tables; DamagedError where its pages contradict one another."""
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise DamagedError
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def create(connection: sqlite3.Connection, positions: Positions) -> None:
    """Makes the tables of an empty file in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in (_SCHEMA + recent_ids.SCHEMA).split(";"):
        connection.execute(statement)
    write_positions(connection, positions)
    connection.execute("COMMIT")


def write_positions(connection: sqlite3.Connection, positions: Positions) -> None:
    """Writes both copies."""
    value = encode_positions(positions)
    connection.execute("INSERT OR REPLACE INTO positions (only_row, value) VALUES (1, ?)", (value,))
    connection.execute("INSERT OR REPLACE INTO positions_copy (only_row, value) VALUES (1, ?)", (value,))


def read_positions(connection: sqlite3.Connection) -> Positions:
    """Returns the positions; DamagedError unless both copies are whole and the same."""
    rows: Sequence[tuple[bytes]] = connection.execute(
        "SELECT value FROM positions UNION ALL SELECT value FROM positions_copy"
    ).fetchall()
    if len(rows) != 2 or rows[0] != rows[1]:  # noqa: PLR2004 - two copies
        raise DamagedError
    positions = decode_positions(rows[0][0])
    if positions is None:
        raise DamagedError
    return positions
