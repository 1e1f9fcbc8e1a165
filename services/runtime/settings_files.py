"""The files that settings name, looked at before anything starts."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel

# What a process makes by itself.
_MADE_BY_THE_PROCESS: Final = frozenset({"database_file"})


def unreadable_files(settings: BaseModel) -> list[str]:
    """Returns the keys, dots between, of all `*_file` settings and key files that cannot be read."""
    return [key for key, path in named_files(settings) if not os.access(path, os.R_OK) or path.is_dir()]


def named_files(settings: BaseModel) -> Iterator[tuple[str, Path]]:
    """Yields all `*_file` settings and key files, each with its key, dots between."""
    yield from _files(settings, ())


def _files(value: object, keys: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if name not in _MADE_BY_THE_PROCESS:
                yield from _files(getattr(value, name), (*keys, name))
    elif isinstance(value, dict | tuple):
        named: Iterable[tuple[object, object]]
        named = value.items() if isinstance(value, dict) else enumerate(value)
        for key, below in named:
            yield from _files(below, (*keys, str(key)))
    elif isinstance(value, Path) and not any(key.endswith("folder") for key in keys):
        yield ".".join(keys), value
