from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain import validation
from services.emitter.domain.demands import FUTURE_MICROSECONDS, PAST_MICROSECONDS, Demands

NOW = 1_790_000_000_000_000


@dataclass
class Event:
    schema_version: int = 1
    region: int = 3
    started_at_microseconds: int = NOW


def broken(event: Event) -> str:
    return Demands(region=3).broken_by(event, NOW)


@given(st.integers(-FUTURE_MICROSECONDS, PAST_MICROSECONDS))
def test_an_event_of_the_region_and_the_schema_that_began_lately_breaks_nothing(age: int) -> None:
    assert broken(Event(started_at_microseconds=NOW - age)) == ""


@given(
    st.one_of(
        st.integers(0, NOW - PAST_MICROSECONDS - 1), st.integers(NOW + FUTURE_MICROSECONDS + 1, 2**64 - 1)
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


def test_clocks_may_be_ahead_by_as_much_as_the_usage_pipeline_allows() -> None:
    assert FUTURE_MICROSECONDS == validation.FUTURE_MICROSECONDS
