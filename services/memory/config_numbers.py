"""Numbers and names of a configuration, checked where they are read: a file of others may hold anything."""

import re
from collections.abc import Mapping
from typing import Any, Final

from services.memory.errors import UnknownModelError

_MOST: Final = 10**9
_NAME: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)


def shown(name: str) -> str:
    """Returns a name as it may be told: one that is none could be long, or command a terminal."""
    return name if _NAME.fullmatch(name) else "that is no name" if name else "that it lacks"


def needed(part: Mapping[str, Any], key: str, *, most: int = _MOST) -> int:
    """Returns a number of 1 or more that has to be there."""
    value = part.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise UnknownModelError(f"the configuration needs {key} as a number from 1 to {most:,}")
    return value


def number_or(part: Mapping[str, Any], key: str, otherwise: int) -> int:
    """Returns a number of 0 or more; the other one where it is not there, null or 0."""
    value = part.get(key)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise UnknownModelError(f"{key} of the configuration has to be a number from 0 to {_MOST:,}")
    return value or otherwise


def listed(part: Mapping[str, Any], key: str, length: int) -> list[Any] | None:
    """Returns a list with an item for each layer; None where it is not there, null or empty."""
    value = part.get(key)
    if not value:
        return None
    if not isinstance(value, list) or len(value) != length:
        raise UnknownModelError(f"{key} of the configuration has to have an item for each of {length} layers")
    return value
