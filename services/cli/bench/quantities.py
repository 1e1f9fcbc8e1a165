"""Numbers as people write them on a command line: durations with a unit, pairs of a name and a value."""

import math
import re
from typing import Final

from services.cli.bench.errors import BenchError

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")
_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration_seconds(text: str) -> float:
    """Returns a duration such as `500ms`, `30s`, `5m`; its unit must be said."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise BenchError("A duration is a number with a unit, such as 500ms, 30s, 5m or 1h.")
    return float(found.group(1)) * _SECONDS[found.group(2)]


def number(text: str, name: str, *, least: float = 0.0) -> float:
    """Returns a finite number that is more than `least`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > least):
        raise BenchError(f"{name} must be a number above {least:g}.")
    return value


def named_value(text: str, option: str, names: tuple[str, ...]) -> tuple[str, str]:
    """Returns both sides of `NAME:VALUE`, whose name must be one of those known."""
    name, colon, value = text.partition(":")
    if not colon or name not in names:
        raise BenchError(f"{option} is NAME:VALUE with a name of {', '.join(names)}.")
    return name, value
