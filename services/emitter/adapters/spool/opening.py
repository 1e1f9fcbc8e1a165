"""Opens the spool's file, whatever state and format it is in."""

import secrets
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from services.emitter.adapters.spool import first_format, rebuilding, sqlite_file, write_ahead_log
from services.emitter.adapters.spool.rebuilding import Lost, NothingToSaveError
from services.emitter.domain.limits import SpoolFile
from services.emitter.domain.spool_format import Positions
from services.runtime.logs import get_logger

_log = get_logger(__name__)

# Of two positions the one of the larger generation is newer, also where the smaller was never committed.
_GENERATIONS_BETWEEN_STARTS: Final = 2**20


class Opened(NamedTuple):
    """The open file, what it says, and what had to be given up to open it."""

    connection: sqlite3.Connection
    positions: Positions
    lost: tuple[Lost, ...]


def open_file(spool: SpoolFile) -> Opened:
    """Opens, makes, migrates or saves the file; the folder is locked by the caller."""
    rebuilding.finish_exchange(spool.spool_folder)
    path = spool.spool_folder / sqlite_file.FILE_NAME
    lost: tuple[Lost, ...] = ()
    log = path.with_name(path.name + "-wal")
    if log.exists() and not write_ahead_log.is_whole(log.read_bytes()):
        # A file of the format before has nothing that could be looked for; SQLite reads as far as it can.
        with suppress(NothingToSaveError):
            lost = _saved(spool.spool_folder)
    try:
        connection, positions, migrated = _opened(spool, path)
    except (sqlite3.DatabaseError, sqlite_file.DamagedError) as error:
        if not sqlite_file.is_damage(error):
            raise
        lost += _saved(spool.spool_folder)
        connection, positions, migrated = _opened(spool, path)
    return Opened(connection, positions, lost + migrated)


def _saved(folder: Path) -> tuple[Lost, ...]:
    started = time.monotonic()
    lost = rebuilding.salvage(folder)
    _log.error(
        "spool_file_was_damaged",
        count=sum(each.count for each in lost),
        duration_seconds=round(time.monotonic() - started, 3),
    )
    return lost


def _opened(spool: SpoolFile, path: Path) -> Opened:
    connection = sqlite_file.connect(path, is_flushed=spool.is_flushed)
    try:
        tables = sqlite_file.tables_of(connection)
        if "kinds" in tables:
            lost = first_format.migrate(spool.spool_folder, connection)
            connection.close()
            rebuilding.put_in_place(spool.spool_folder)
            _log.info("spool_migrated", count=sum(each.count for each in lost))
            return _opened(spool, path)._replace(lost=lost)
        if not tables:
            sqlite_file.create(connection, Positions(1, secrets.randbits(64) | 1))
        stored = sqlite_file.read_positions(connection)
        generation = stored.generation + _GENERATIONS_BETWEEN_STARTS
        return Opened(connection, Positions(generation, stored.producer_id, stored.by_kind), ())
    except BaseException:
        connection.close()
        raise
