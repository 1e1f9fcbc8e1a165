"""A lock on a file that the kernel lets go of when its last holder is gone, however it went."""

import fcntl
import os
import time
from pathlib import Path

_PAUSE_SECONDS = 0.05


class LockedElsewhereError(Exception):
    """Another process kept the lock for longer than we wait."""


def acquire(path: Path, *, wait_seconds: float) -> int:
    """Creates `path`, locks it and returns its file descriptor; closing that lets go.

    A child that inherits the descriptor holds the lock too. Raises LockedElsewhereError after `wait_seconds`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise LockedElsewhereError from None
            time.sleep(_PAUSE_SECONDS)
        else:
            return descriptor
