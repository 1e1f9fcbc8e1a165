"""Formats of dates and times as patterns of what every calendar reads.

The engine's own forms let a 29th of February into every year, a year 0 and a second 60 into every minute: the
grammar of RFC 3339 has them, and what reads an answer, such as Python's `datetime`, refuses them.
"""

from typing import Any, Final

_YEAR: Final = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
# Every fourth, of full centuries every fourth again.
_LEAP_YEAR: Final = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY_OF_EVERY_YEAR: Final = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_DATE: Final = f"(?:{_YEAR}-{_DAY_OF_EVERY_YEAR}|{_LEAP_YEAR}-02-29)"
_HOUR_AND_MINUTE: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIME: Final = rf"{_HOUR_AND_MINUTE}:[0-5][0-9](?:\.[0-9]{{1,6}})?(?:Z|[+-]{_HOUR_AND_MINUTE})"
PATTERNS: Final = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DATE}T{_TIME}$",
}


def narrow(schema: dict[str, Any]) -> None:
    """Puts a pattern in the place of a schema's format of a date or time; one with a pattern stays."""
    pattern = PATTERNS.get(schema["format"]) if isinstance(schema.get("format"), str) else None
    if pattern is not None and "pattern" not in schema:
        del schema["format"]
        schema["pattern"] = pattern
