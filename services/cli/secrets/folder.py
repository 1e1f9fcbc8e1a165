"""Files of a folder of secrets: each there whole or not at all, once made never made again."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from deploy.local.stack.errors import StackError
from services.runtime import file_lock
from services.runtime.new_file import new_file

_LOCK: Final = ".lock"
_ASIDE: Final = re.compile(r"\..+\.[0-9a-f]{8}")
_WAIT_SECONDS: Final = 60.0
# Nobody but its owner enters the folder itself. What is mounted from it is read in a container by whatever
# user its image has, which a bind mount cannot change: so inside, everybody may read who got that far.
_FOLDER: Final = 0o700
_INNER: Final = 0o755
_FILE: Final = 0o444
_KEPT: Final = 0o600


class Kind(Enum):
    """What there is at a path."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a path found; the content of a file that could be read."""

    kind: Kind
    mode: int = 0
    content: bytes | None = None


class SecretFiles:
    """What is below a folder, by relative path."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Makes the folder if it is missing, holds others back, and removes what a kill left half written."""
        self.root.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
        self.root.chmod(_FOLDER)
        try:
            descriptor = file_lock.acquire(self.root / _LOCK, wait_seconds=_WAIT_SECONDS)
        except file_lock.LockedElsewhereError:
            raise StackError("Another command is at work in that folder; wait until it ends.") from None
        try:
            for path in self.root.rglob(".*"):
                if _ASIDE.fullmatch(path.name) and path.is_file():
                    path.unlink()
            yield
        finally:
            os.close(descriptor)

    def has_anything(self) -> bool:
        """Tells whether there is more in the folder than a run before left that did not come to a file."""
        if not self.root.exists():
            return False
        return any(path.name != _LOCK and not _ASIDE.fullmatch(path.name) for path in self.root.iterdir())

    def read(self, name: str) -> bytes | None:
        """Returns a file's content, None where there is none."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def make(self, name: str, content: bytes, *, is_kept: bool = False) -> None:
        """Writes a file that is not there; one that is stays. Where `is_kept`, for its owner alone."""
        path = self._place(name, is_kept)
        with new_file(path) as aside:
            self._fill(aside, content, _KEPT if is_kept else _FILE)
        self._settle(path.parent)

    def replace(self, name: str, content: bytes, *, is_kept: bool = False) -> None:
        """Puts other content in a file's place, in one step for whoever reads it."""
        path = self._place(name, is_kept)
        aside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
        try:
            os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _KEPT))
            self._fill(aside, content, _KEPT if is_kept else _FILE)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        self._settle(path.parent)

    def remove(self, name: str) -> None:
        """Removes a file, where there is one."""
        path = self.root / name
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            self._settle(path.parent)

    def look(self, name: str) -> Seen:
        """Returns what there is, and raises nothing where it is not a file that can be read."""
        kind = self.kind(name)
        if kind is not Kind.FILE:
            return Seen(kind)
        try:
            return Seen(kind, self.mode(name), (self.root / name).read_bytes())
        except FileNotFoundError:
            return Seen(Kind.MISSING)
        except OSError:
            return Seen(Kind.UNREADABLE)

    def kind(self, name: str) -> Kind:
        """Returns what there is at a path, a link itself where it is one."""
        try:
            mode = (self.root / name).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return Kind.MISSING
        except OSError:
            return Kind.UNREADABLE
        if stat.S_ISREG(mode):
            return Kind.FILE
        if stat.S_ISLNK(mode):
            return Kind.LINK
        return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.OTHER

    def mode(self, name: str) -> int:
        """Returns who may do what with a file or a folder; the folder itself is ""."""
        return stat.S_IMODE((self.root / name).stat().st_mode)

    def _place(self, name: str, is_kept: bool) -> Path:
        path = self.root / name
        if path.parent != self.root:
            path.parent.mkdir(exist_ok=True)
            path.parent.chmod(_FOLDER if is_kept else _INNER)
        return path

    @staticmethod
    def _fill(path: Path, content: bytes, mode: int) -> None:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(mode)

    @staticmethod
    def _settle(folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
