"""A lock on a file that the kernel lets go of when its last holder is gone, however it went."""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

_PAUSE_SECONDS: Final = 0.05


class LockedElsewhereError(Exception):
    """Another process kept the lock for longer than this one waits."""


def acquire(path: Path, *, wait_seconds: float = 0.0) -> int:
    """Creates `path`, locks it and returns its file descriptor; closing that lets go.

    A child that inherits the descriptor holds the lock too. Raises LockedElsewhereError after `wait_seconds`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(descriptor, wait_seconds)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_held(path: Path) -> bool:
    """Returns whether any process holds the lock; where the file is missing, none does."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _is_locked_now(descriptor)
    finally:
        os.close(descriptor)


def _wait_for(descriptor: int, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while not _is_locked_now(descriptor):
        if time.monotonic() >= deadline:
            raise LockedElsewhereError
        time.sleep(_PAUSE_SECONDS)


def _is_locked_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
