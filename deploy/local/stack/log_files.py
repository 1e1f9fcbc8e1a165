"""Log files that do not grow without end."""

import os
from pathlib import Path
from typing import BinaryIO, Final

_MAX_BYTES: Final = 10 * 1024 * 1024
_MODE: Final = 0o600


def open_log(path: Path) -> BinaryIO:
    """Opens `path` to append to, for its owner only; one longer than 10 MiB is kept once, as `<name>.1`."""
    if path.exists() and path.stat().st_size > _MAX_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
    os.fchmod(descriptor, _MODE)
    return os.fdopen(descriptor, "ab")
