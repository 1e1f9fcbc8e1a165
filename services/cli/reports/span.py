"""The time that a report is about: `24h` back, or a moment in UTC."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from deploy.local.stack.errors import StackError

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_BACK: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])")


class Span(NamedTuple):
    """From a moment until before another one, both in UTC."""

    since: datetime
    until: datetime

    @property
    def shown(self) -> str:
        """In words, to the minute."""
        return f"{self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC"


def parse_span(since: str, until: str, now: datetime) -> Span:
    """Returns the span of `--since` and `--until`; StackError where one is no time, or both are reversed."""
    begin = _moment(since, "--since", now)
    end = _moment(until, "--until", now) if until else now
    if begin >= end:
        raise StackError(f"--since {since} is not before --until {until or 'now'}: give an earlier one.")
    return Span(begin, end)


def _moment(text: str, option: str, now: datetime) -> datetime:
    back = _BACK.fullmatch(text)
    try:
        if back is not None:
            return now - timedelta(**{_UNITS[back[2]]: int(back[1])})
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise StackError(
            f"{option} is 30m, 24h or 7d back from now, or a moment in UTC: 2026-11-27 or 2026-11-27T14:30."
        ) from None
