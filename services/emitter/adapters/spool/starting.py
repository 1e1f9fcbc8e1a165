"""Starts the spool, or says in one sentence why it cannot be used."""

import errno
import sqlite3
from typing import Final

from services.emitter.adapters.spool import sqlite_file
from services.emitter.adapters.spool.rebuilding import NothingToSaveError
from services.emitter.adapters.spool.reserve import HEADROOM_BYTES, SIZE_BYTES, Reserve
from services.emitter.adapters.spool.store import FILE_NAME, SpoolStore
from services.emitter.domain.limits import SpoolFile
from services.runtime import file_lock

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)
_NO_WRITES: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_UNUSABLE: Final = (NothingToSaveError, sqlite_file.DamagedError, file_lock.LockedElsewhereError)
_IN_USE: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class SpoolUnusableError(Exception):
    """The spool cannot be opened; the text is one sentence that says why."""


def start(spool: SpoolFile, reserve: Reserve) -> SpoolStore:
    """Returns the open store, with the reserve beside it unless the disk is too full for an old spool's."""
    is_new = not (spool.spool_folder / FILE_NAME).exists()
    try:
        store = _opened(spool, reserve)
    except (*_UNUSABLE, sqlite3.Error, OSError) as error:
        raise SpoolUnusableError(_sentence(error)) from None
    if not reserve.make() and is_new:
        store.close()
        raise SpoolUnusableError(_full())
    return store


def _opened(spool: SpoolFile, reserve: Reserve) -> SpoolStore:
    try:
        return SpoolStore(spool)
    except sqlite3.OperationalError as error:
        if not sqlite_file.is_full(error):
            raise
        reserve.release()  # what a killed process left half done may need room to be opened
        return SpoolStore(spool)


def _sentence(error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, file_lock.LockedElsewhereError) or code in _IN_USE:
        return "another process has the spool open; stop it first."
    if number in _NO_ROOM or sqlite_file.is_full(error):
        return _full()
    if number in _NO_WRITES or (isinstance(error, sqlite3.Error) and not sqlite_file.is_damage(error)):
        return "the spool cannot be opened; is its folder writable?"
    return "the spool cannot be read; move its folder away and start again."


def _full() -> str:
    megabytes = (SIZE_BYTES + HEADROOM_BYTES) // 1024**2
    return f"the disk of the spool is full; it needs {megabytes} MiB more to begin with."
