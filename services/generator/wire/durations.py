"""Durations as messages carry them."""

from typing import Final

_MAX_UINT32: Final = 2**32 - 1


def milliseconds(seconds: float) -> int:
    """Returns a duration in whole milliseconds, never negative."""
    return min(_MAX_UINT32, max(0, round(seconds * 1000)))
