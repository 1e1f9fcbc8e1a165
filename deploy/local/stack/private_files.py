"""Files of a stack that nobody but their owner reads."""

import os
from pathlib import Path


def replace_private(path: Path, text: str) -> None:
    """Replaces `path` in one step by a file of mode 0600, whatever mode it had."""
    aside = path.with_name(f"{path.name}.new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    aside.replace(path)
