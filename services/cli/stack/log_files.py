"""Log files that do not grow without end."""

from pathlib import Path
from typing import BinaryIO

_MAX_BYTES = 10 * 1024 * 1024


def open_log(path: Path) -> BinaryIO:
    """`path` to append to; what was longer than 10 MiB is kept once, as `<name>.1`."""
    if path.exists() and path.stat().st_size > _MAX_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return path.open("ab")
