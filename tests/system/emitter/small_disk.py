"""A real file system of a few megabytes, for tests of full disks."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_DETACH = 2
_READ_ONLY = 1
_REMOUNT = 32


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A tmpfs of a size, mounted on `folder`; fails loudly where mounts are not permitted."""
    folder.mkdir()
    options = f"size={size_bytes},mode=0700".encode()
    if _LIBC.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, options) != 0:
        raise AssertionError(
            f"cannot mount a tmpfs ({os.strerror(ctypes.get_errno())}): "
            "this test needs root, or its own mount namespace (`unshare --mount --map-root-user`)."
        )
    try:
        yield folder
    finally:
        _LIBC.umount2(bytes(folder), _DETACH)


def remount_for_reading_only(folder: Path) -> None:
    """As a kernel does that no longer trusts a disk."""
    if _LIBC.mount(b"tmpfs", bytes(folder), b"tmpfs", _REMOUNT | _READ_ONLY, None) != 0:
        raise AssertionError(f"cannot remount: {os.strerror(ctypes.get_errno())}")


def free_bytes(folder: Path) -> int:
    """What a process may still write there."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(file: Path) -> None:
    """Writes until the disk is full to its last block."""
    with file.open("ab", buffering=0) as foreign:
        for block in (1024 * 1024, 4096):
            try:
                while foreign.write(bytes(block)) == block:
                    pass
            except OSError:
                continue
