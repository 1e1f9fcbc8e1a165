"""How long an event stays: whole UTC days, never longer than the promised number of days."""

from typing import Final

DAY_MICROSECONDS: Final = 86_400_000_000


def expires_at_microseconds(started_at_microseconds: int, retention_days: int) -> int:
    """Returns when an event is hidden and its part may be dropped: its day's beginning plus the retention.

    The store's TTL says the same (`toStartOfDay(started_at) + toIntervalDay(n)`), so that all rows of a daily
    partition expire at one moment; an event therefore stays between n - 1 and n days.
    """
    day = started_at_microseconds // DAY_MICROSECONDS
    return (day + retention_days) * DAY_MICROSECONDS
