"""Formats of dates, times and durations as patterns of what every calendar reads.

The engine's own forms let a 29th of February into every year, a year 0 and a second 60 into every minute: the
grammar of RFC 3339 has them, and what reads an answer, such as Python's `datetime`, refuses them. Its
durations have numbers without end, and a model that likes one digit never stops writing it.
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
# A `timedelta` holds 999 999 999 days, and pydantic reads no more than 2**32 seconds of a part of a day.
_NUMBER: Final = "[0-9]{1,6}"
_SECONDS: Final = f"{_NUMBER}S"
_MINUTES: Final = f"{_NUMBER}M(?:{_SECONDS})?"
_HOURS: Final = f"{_NUMBER}H(?:{_MINUTES})?"
_DAYS: Final = f"{_NUMBER}D"
_MONTHS: Final = f"{_NUMBER}M(?:{_DAYS})?"
_YEARS: Final = f"{_NUMBER}Y(?:{_MONTHS})?"
_PART_OF_A_DAY: Final = f"T(?:{_HOURS}|{_MINUTES}|{_SECONDS})"
_DURATION: Final = f"P(?:(?:{_DAYS}|{_MONTHS}|{_YEARS})(?:{_PART_OF_A_DAY})?|{_PART_OF_A_DAY}|{_NUMBER}W)"
PATTERNS: Final = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DATE}T{_TIME}$",
    "duration": f"^{_DURATION}$",
}


def narrow(schema: dict[str, Any]) -> None:
    """Puts a pattern in the place of a schema's format of the calendar; one with a pattern stays."""
    pattern = PATTERNS.get(schema["format"]) if isinstance(schema.get("format"), str) else None
    if pattern is not None and "pattern" not in schema:
        del schema["format"]
        schema["pattern"] = pattern
