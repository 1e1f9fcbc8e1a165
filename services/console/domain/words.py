"""Numbers as people read them."""

from datetime import UTC, datetime
from typing import Final

NOTHING: Final = "–"  # noqa: RUF001 - as tables write it
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEPS: Final = ((_DAY, _HOUR, "d", "h"), (_HOUR, _MINUTE, "h", "min"), (_MINUTE, 1, "min", "s"))
_LARGE: Final = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**4, "k"))
_NANOS: Final = 1_000_000_000


def whole(value: float | None) -> str:
    """Returns a count with its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def short(value: float) -> str:
    """Returns a count of tokens in four signs or so, such as 12.3k or 4.6M."""
    for size, sign in _LARGE:
        if value >= size:
            # What is thousands from ten of them on is said in thousands.
            scaled = value / (1_000 if sign == "k" else size)
            return f"{scaled:.1f}{sign}" if scaled < 100 else f"{scaled:,.0f}{sign}"  # noqa: PLR2004 - three digits
    return f"{value:,.0f}"


def seconds(value: float | None) -> str:
    """Returns a short time in milliseconds or seconds."""
    if value is None:
        return NOTHING
    return f"{1000 * value:,.0f} ms" if value < 1 else f"{value:,.2f} s"


def rate(value: float | None) -> str:
    """Returns tokens per second, with a digit more where they are few."""
    if value is None:
        return NOTHING
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004 - two digits


def percent(value: float | None) -> str:
    """Returns a share."""
    return NOTHING if value is None else f"{100 * value:.0f} %"


def duration(value: float) -> str:
    """Returns a duration in its two largest units, such as 2 h 5 min."""
    left = max(0, int(value))
    for large, small, large_name, small_name in _STEPS:
        if left >= large:
            rest = left % large // small
            return f"{left // large} {large_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{left} s"


def money(nanos: int, currency: str) -> str:
    """Returns an amount, with more digits where it is less than a hundredth."""
    amount = nanos / _NANOS
    digits = 2 if nanos == 0 or amount >= 1 else 4
    return f"{amount:,.{digits}f} {currency}".strip()


def moment(at_seconds: float) -> str:
    """Returns a time of day, in UTC."""
    return f"{datetime.fromtimestamp(at_seconds, UTC):%H:%M:%S} UTC"


def date(at_seconds: float) -> str:
    """Returns a day and its time, in UTC."""
    return f"{datetime.fromtimestamp(at_seconds, UTC):%Y-%m-%d %H:%M} UTC" if at_seconds else NOTHING
