from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.retention import (
    DAY_MICROSECONDS,
    expires_at_microseconds,
)
from services.contract.events import RETENTION_MAX_DAYS, RETENTION_MIN_DAYS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# To the end of the year 2199, further than any event of this store.
MOMENTS = st.integers(min_value=0, max_value=84_000 * DAY_MICROSECONDS)
DAYS = st.integers(min_value=RETENTION_MIN_DAYS, max_value=RETENTION_MAX_DAYS)


def _utc(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


@given(MOMENTS, DAYS)
def test_it_is_what_the_stores_ttl_says(started: int, days: int) -> None:
    beginning = _utc(started).replace(hour=0, minute=0, second=0, microsecond=0)
    assert _utc(expires_at_microseconds(started, days)) == beginning + timedelta(days=days)


@given(MOMENTS, DAYS)
def test_an_event_stays_more_than_all_but_one_day_and_never_longer_than_promised(
    started: int, days: int
) -> None:
    stays = expires_at_microseconds(started, days) - started
    assert (days - 1) * DAY_MICROSECONDS < stays <= days * DAY_MICROSECONDS


@given(MOMENTS, MOMENTS, DAYS)
def test_events_expire_together_exactly_if_they_are_of_one_utc_day(
    first: int, second: int, days: int
) -> None:
    is_one_day = _utc(first).date() == _utc(second).date()
    expire_together = expires_at_microseconds(first, days) == expires_at_microseconds(second, days)
    assert expire_together is is_one_day


@given(MOMENTS, MOMENTS, DAYS, DAYS)
def test_who_started_later_or_is_kept_longer_never_expires_earlier(
    first: int, second: int, some: int, more: int
) -> None:
    (first, second), (some, more) = sorted((first, second)), sorted((some, more))
    assert expires_at_microseconds(first, some) <= expires_at_microseconds(second, more)


def test_the_last_microsecond_of_a_day_has_the_shortest_stay() -> None:
    assert expires_at_microseconds(DAY_MICROSECONDS - 1, 7) == 7 * DAY_MICROSECONDS
    assert expires_at_microseconds(DAY_MICROSECONDS, 7) == 8 * DAY_MICROSECONDS
