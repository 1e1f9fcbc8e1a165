"""A log line as people read it: time, level, event, then the fields in a fixed order."""

import json
from collections.abc import Mapping
from typing import Any, Final

# What every line has, in its own place or of no use to the reader of one process's log.
_PLACED: Final = frozenset({"timestamp", "level", "event", "process", "module", "line"})
_DECIMALS: Final = 3


def readable(fields: Mapping[str, Any]) -> str:
    """Returns the line; an error's place in the code comes last."""
    clock = str(fields.get("timestamp", "")).partition("T")[2][:12]
    level = "" if fields.get("level") == "info" else str(fields.get("level", ""))
    rest = [f"{name}={_short(fields[name])}" for name in sorted(fields) if name not in _PLACED]
    if "line" in fields:
        rest.append(f"at {fields.get('module', '')}:{fields['line']}")
    return " ".join(part for part in (clock, level, str(fields.get("event", "")), *rest) if part)


def readable_line(line: str) -> str:
    """Returns a JSON log line for people; any other line as it is."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    return readable(fields) if isinstance(fields, dict) and "event" in fields else line


def _short(value: object) -> str:
    return f"{value:.{_DECIMALS}f}" if isinstance(value, float) else str(value)
