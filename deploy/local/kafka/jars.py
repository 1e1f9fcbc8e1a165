"""Fetches the broker's jars into a cache that all data folders share, each checked against the lock."""

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.kafka.jar_lock import Jar, JarLock, parse
from services.runtime import file_lock

LOCK_FILE: Final = Path(__file__).with_name("jars.lock")
_STAMP: Final = "checked"
_DOWNLOADS_AT_ONCE: Final = 4


class JarsError(Exception):
    """The jars are not there and could not be fetched; the text is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the download is, over all jars of the lock."""

    jars_done: int
    jars_total: int
    bytes_done: int
    bytes_total: int


OnProgress = Callable[[Progress], None]
# Downloads one jar to somewhere below a folder and reports bytes as they come; deploy.local.kafka.maven.
Download = Callable[[Jar, Path, Callable[[int], None]], Path]


def committed_lock() -> JarLock:
    """Returns the lock that lies beside this module."""
    return parse(LOCK_FILE.read_text(encoding="ascii"))


def class_path(lock: JarLock, cache_folder: Path) -> tuple[Path, ...]:
    """Returns where the jars of `lock` lie, or will lie, in the order of the lock."""
    folder = cache_folder / lock.kafka_version
    return tuple(folder / jar.file_name for jar in lock.jars)


def are_present(lock: JarLock, cache_folder: Path) -> bool:
    """Returns whether all sums were once checked and no file has changed its size since: no byte is read."""
    folder = cache_folder / lock.kafka_version
    try:
        if (folder / _STAMP).read_text(encoding="ascii") != lock.digest:
            return False
        return all((folder / jar.file_name).stat().st_size == jar.size_bytes for jar in lock.jars)
    except (OSError, UnicodeDecodeError):
        return False


def fetch(
    lock: JarLock,
    cache_folder: Path,
    *,
    download: Download,
    on_progress: OnProgress,
    wait_seconds: float,
) -> None:
    """Makes `are_present` true: keeps what is right, downloads the rest, and leaves no half file.

    Several processes may call it at once; one works and the others wait, up to `wait_seconds`.
    Raises JarsError.
    """
    folder = cache_folder / lock.kafka_version
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = file_lock.acquire(cache_folder / f"{lock.kafka_version}.lock", wait_seconds=wait_seconds)
    except OSError:
        raise JarsError(f"the cache folder {cache_folder} cannot be written; choose another one.") from None
    except file_lock.LockedElsewhereError:
        raise JarsError("another process has been downloading Kafka for too long; stop it first.") from None
    try:
        if not are_present(lock, cache_folder):
            _Fetching(lock, folder, download, on_progress).run()
    except OSError:
        raise JarsError(f"the cache folder {cache_folder} is full or cannot be written.") from None
    finally:
        os.close(descriptor)


class _Fetching:
    """One run of downloads into one folder, counted together."""

    def __init__(self, lock: JarLock, folder: Path, download: Download, on_progress: OnProgress) -> None:
        self._lock = lock
        self._folder = folder
        self._download = download
        self._on_progress = on_progress
        self._counting = threading.Lock()
        self._jars_done = 0
        self._bytes_done = 0

    def run(self) -> None:
        (self._folder / _STAMP).unlink(missing_ok=True)
        for leftover in self._folder.glob("download-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        missing = [jar for jar in self._lock.jars if not self._is_right(jar)]
        with (
            tempfile.TemporaryDirectory(prefix="download-", dir=self._folder) as scratch,
            ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool,
        ):
            downloads = [pool.submit(self._fetch_one, jar, Path(scratch)) for jar in missing]
            try:
                for download in downloads:
                    download.result()
            finally:
                pool.shutdown(cancel_futures=True)
        self._write_stamp()

    def _is_right(self, jar: Jar) -> bool:
        if _sum_of(self._folder / jar.file_name) != (jar.size_bytes, jar.sha256):
            return False
        self._count(jars=1, size_bytes=jar.size_bytes)
        return True

    def _fetch_one(self, jar: Jar, scratch: Path) -> None:
        path = self._download(jar, scratch, lambda size_bytes: self._count(jars=0, size_bytes=size_bytes))
        if _sum_of(path) != (jar.size_bytes, jar.sha256):
            raise JarsError(
                f"{jar.file_name} as downloaded is not the file that jars.lock names; "
                "try again, and if it stays so, find out who changes downloads on this network."
            )
        path.replace(self._folder / jar.file_name)
        self._count(jars=1, size_bytes=0)

    def _count(self, *, jars: int, size_bytes: int) -> None:
        with self._counting:
            self._jars_done += jars
            self._bytes_done += size_bytes
            self._on_progress(
                Progress(
                    jars_done=self._jars_done,
                    jars_total=len(self._lock.jars),
                    # A download that was tried twice came twice.
                    bytes_done=min(self._bytes_done, self._lock.size_bytes),
                    bytes_total=self._lock.size_bytes,
                )
            )

    def _write_stamp(self) -> None:
        partial = self._folder / f"{_STAMP}.part"
        partial.write_text(self._lock.digest, encoding="ascii")
        partial.replace(self._folder / _STAMP)


def _sum_of(path: Path) -> tuple[int, str] | None:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
