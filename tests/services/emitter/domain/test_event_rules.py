from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.retention import DAY_MICROSECONDS as DAY
from pipelines.usage.domain.retention import expires_at_microseconds
from services.contract.events import EVENT_MAX_SKEW_MICROSECONDS, RETENTION_MIN_DAYS
from services.emitter.domain.event_rules import (
    PAST_MICROSECONDS,
    EventRules,
    past_microseconds_for,
)

NOW = 1_790_000_000_000_000


@dataclass
class Event:
    schema_version: int = 1
    region: int = 3
    started_at_microseconds: int = NOW


def broken(event: Event) -> str:
    return EventRules(region=3).broken_by(event, NOW)


@given(st.integers(-EVENT_MAX_SKEW_MICROSECONDS, PAST_MICROSECONDS))
def test_an_event_of_the_region_and_the_schema_that_began_lately_breaks_nothing(age: int) -> None:
    assert broken(Event(started_at_microseconds=NOW - age)) == ""


@given(
    st.one_of(
        st.integers(0, NOW - PAST_MICROSECONDS - 1),
        st.integers(NOW + EVENT_MAX_SKEW_MICROSECONDS + 1, 2**64 - 1),
    )
)
def test_an_event_of_another_time_is_refused(started_at: int) -> None:
    assert broken(Event(started_at_microseconds=started_at)) == "started_at_microseconds"


@given(st.integers(0, 2**32 - 1).filter(lambda number: number != 3))
def test_an_event_of_another_region_is_refused(region: int) -> None:
    assert broken(Event(region=region)) == "region"


@given(st.integers(0, 2**32 - 1).filter(lambda number: number != 1))
def test_an_event_of_another_schema_is_refused(schema_version: int) -> None:
    assert broken(Event(schema_version=schema_version)) == "schema_version"


@given(st.floats(0, 6), st.integers(0, 86_399_999_999))
def test_an_event_that_was_taken_late_and_waited_long_has_not_expired_in_the_store(
    spool_days: float, time_of_day: int
) -> None:
    started = NOW // DAY * DAY + time_of_day
    latest = started + past_microseconds_for(spool_days * 86_400) + round(spool_days * DAY)
    if spool_days <= 4:
        assert latest + DAY <= expires_at_microseconds(started, RETENTION_MIN_DAYS)
    assert past_microseconds_for(spool_days * 86_400) >= PAST_MICROSECONDS


def test_what_producers_kept_over_a_weekend_without_an_emitter_is_taken_on_monday() -> None:
    rules = EventRules(region=3, past_microseconds=past_microseconds_for(2 * 86_400.0))
    assert rules.broken_by(Event(started_at_microseconds=NOW - 3 * DAY), NOW) == ""
    assert rules.broken_by(Event(started_at_microseconds=NOW - 3 * DAY - 1), NOW) != ""
