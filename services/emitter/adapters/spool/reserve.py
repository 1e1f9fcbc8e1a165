"""Disk space that is kept for the spool's own work: without it, a full disk could never be emptied again."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

FILE_NAME: Final = "spool.reserve"
# What forwarding needs at most: the write-ahead log's pages that the file has yet to grow by (about 2.5 MiB,
# see `sqlite_file.py`), and as much again for one transaction that removes events.
SIZE_BYTES: Final = 4 * 1024 * 1024
# It is not made of the last bytes: events taken right after would find the disk full again.
HEADROOM_BYTES: Final = 2 * 1024 * 1024


class Reserve:
    """One file of stated size, given back to the disk while it is needed and made again afterwards."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self.is_there = False

    def make(self) -> bool:
        """Takes the space; false, and nothing is taken, if the disk has not that much and some more."""
        try:
            if self._path.exists() and self._path.stat().st_size == SIZE_BYTES:
                self.is_there = True
                return True
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize < SIZE_BYTES + HEADROOM_BYTES:
                return False
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, SIZE_BYTES)
            finally:
                os.close(file)
        except OSError:
            self.release()
            return False
        self.is_there = True
        return True

    def release(self) -> None:
        """Gives the space back."""
        self.is_there = False
        with suppress(OSError):  # on a disk that takes no writes there is nothing to gain either
            self._path.unlink(missing_ok=True)
