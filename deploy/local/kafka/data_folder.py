"""The broker's folder: whose it is now, what lies where, and the file that says that the broker is ready."""

import json
import os
import shutil
from pathlib import Path
from typing import Self

from services.runtime import file_lock


class DataFolderError(Exception):
    """The folder cannot be used; the text is one sentence."""


class DataFolder:
    """One folder, held by one process and its Java child for as long as either lives.

    Use it as a context manager. The lock's descriptor is handed to the child: if this process is
    killed, the next one waits until the child is gone too.
    """

    def __init__(self, path: Path, *, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self.path = path
        self.log_folder = path / "log"
        self.formatting_folder = path / "log.formatting"
        self.scratch_folder = path / "tmp"
        self.properties_file = path / "server.properties"
        self.formatting_properties_file = path / "formatting.properties"
        self.log_layout_file = path / "log4j2.properties"
        self.class_list_file = path / "classes.list"
        self.crash_file = path / "crash.log"
        self.ready_file = path / "ready"
        self.lock_descriptor = -1

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.lock_descriptor = file_lock.acquire(self.path / "lock", wait_seconds=self._wait_seconds)
            self._clear()
        except OSError:
            raise DataFolderError(f"the data folder {self.path} cannot be written.") from None
        except file_lock.LockedElsewhereError:
            raise DataFolderError(
                f"another broker runs on the data folder {self.path}; stop it, or choose another folder."
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self.ready_file.unlink(missing_ok=True)
        os.close(self.lock_descriptor)

    def is_formatted(self) -> bool:
        """Returns whether the broker's log folder is whole."""
        return self.log_folder.is_dir()

    def finish_formatting(self) -> None:
        """Gives the formatted folder its name in one step, so that half a format never counts."""
        self.formatting_folder.rename(self.log_folder)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def announce(self, address: str) -> None:
        """Writes the ready file: the address, and our process number so that a stale file deceives nobody."""
        partial = self.path / "ready.part"
        partial.write_text(json.dumps({"pid": os.getpid(), "address": address}) + "\n", encoding="ascii")
        partial.replace(self.ready_file)

    def _clear(self) -> None:
        """Takes away what a killed process left: its ready file, half a format, unpacked native libraries."""
        self.ready_file.unlink(missing_ok=True)
        for folder in (self.formatting_folder, self.scratch_folder):
            if folder.exists():
                shutil.rmtree(folder)
        self.scratch_folder.mkdir(mode=0o700)
