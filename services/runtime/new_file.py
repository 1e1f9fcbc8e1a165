"""A file that is there whole or not at all, and once, however many processes make it at the same time."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yields an empty file to fill, for its owner only, which then is `path` unless another one is by now.

    A failure while it is filled leaves nothing; a kill, a hidden file beside `path`.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield aside
        # A link, since a rename would replace what another process has made meanwhile.
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
