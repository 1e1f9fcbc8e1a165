"""The files that settings name, looked at before anything starts."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel

# What a process makes by itself.
_MADE_BY_THE_PROCESS: Final = frozenset({"database_file"})


def unreadable_files(settings: BaseModel) -> list[str]:
    """Returns the keys, dots between, of all `*_file` settings and key files that cannot be read."""
    return [key for key, path in _files(settings, ()) if not os.access(path, os.R_OK) or path.is_dir()]


def _files(value: object, keys: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if name not in _MADE_BY_THE_PROCESS:
                yield from _files(getattr(value, name), (*keys, name))
    elif isinstance(value, dict):
        for name, below in value.items():
            yield from _files(below, (*keys, str(name)))
    elif isinstance(value, Path) and not any(key.endswith("folder") for key in keys):
        yield ".".join(keys), value
