"""Files and folders as they lie there; of a secret only its mode is looked at."""

import contextlib
import os
import resource
import shutil
from pathlib import Path
from typing import Final

from services.cli.adapters.doctor.certificates import read_certificates
from services.cli.doctor.facts import SeenFile, SeenFolder
from services.cli.doctor.places import NamedFile

_MAX_PEM_BYTES: Final = 1024 * 1024


def see_file(file: NamedFile) -> SeenFile:
    """Returns what is to be known of a file; only a certificate is opened."""
    path = Path(file.path)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return SeenFile(file, exists=False)
    except OSError:
        return SeenFile(file, is_readable=False)
    if not os.access(path, os.R_OK) or path.is_dir():
        return SeenFile(file, is_readable=False, mode=mode)
    if not file.is_certificate:
        return SeenFile(file, mode=mode)
    with path.open("rb") as content:
        return SeenFile(file, mode=mode, certificates=read_certificates(content.read(_MAX_PEM_BYTES)))


def see_folder(subject: str, folder: Path, *, most_bytes: int = 0) -> SeenFolder | None:
    """Returns the room where a folder is, or is to be; None where nobody can tell.

    `most_bytes` is what it may hold in all, of which it needs what it does not hold yet.
    """
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        usage = shutil.disk_usage(there)
    except OSError:
        return None
    needs = max(0, most_bytes - _bytes_in(folder)) if most_bytes else 0
    return SeenFolder(subject, usage.free, usage.total, needs)


def most_open_files() -> int:
    """Returns the hard limit of open files of what is started from here."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def _bytes_in(folder: Path) -> int:
    total = 0
    # A spool's files come and go meanwhile.
    with contextlib.suppress(OSError):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                total += path.stat().st_blocks * 512
    return total
