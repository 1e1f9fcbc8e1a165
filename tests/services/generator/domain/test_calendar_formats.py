"""The patterns of dates and times hold what Python reads, and nothing else of their form."""

import datetime as dt
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.generator.domain.calendar_formats import PATTERNS, narrow

DATE, TIME, DATE_TIME, DURATION = (
    re.compile(PATTERNS[name]) for name in ("date", "time", "date-time", "duration")
)
SPANS = TypeAdapter(dt.timedelta)


@given(st.dates())
def test_every_date_is_one(date: dt.date) -> None:
    assert DATE.match(date.isoformat())


@given(st.from_regex(DATE, fullmatch=True))
def test_what_looks_like_a_date_is_one(text: str) -> None:
    assert dt.date.fromisoformat(text).isoformat() == text


@given(st.from_regex(DATE_TIME, fullmatch=True))
def test_what_looks_like_a_moment_is_one(text: str) -> None:
    assert dt.datetime.fromisoformat(text).tzinfo is not None


@given(st.from_regex(TIME, fullmatch=True))
def test_what_looks_like_a_time_is_one(text: str) -> None:
    assert dt.time.fromisoformat(text).tzinfo is not None


@given(st.from_regex(DURATION, fullmatch=True))
def test_what_looks_like_a_duration_is_one(text: str) -> None:
    assert SPANS.validate_python(text) >= dt.timedelta()


@pytest.mark.parametrize("text", ["P1D", "P1Y2M3DT4H5M6S", "PT604800S", "P2W", "PT90M", "P400Y"])
def test_a_duration_that_people_write_is_one(text: str) -> None:
    assert DURATION.match(text)


@pytest.mark.parametrize(
    "text", ["P", "PT", "P1", "1D", "P1H", "PT1D", "P1Y3D", "PT1H3S", "P1W2D", "P9999999Y"]
)
def test_a_duration_by_no_grammar_or_beyond_a_timedelta_is_none(text: str) -> None:
    assert not DURATION.match(text)


@pytest.mark.parametrize("text", ["2023-02-29", "1900-02-29", "0000-01-01", "2024-04-31", "2024-13-01"])
def test_a_day_that_no_calendar_has_is_none(text: str) -> None:
    assert not DATE.match(text)


@pytest.mark.parametrize("text", ["10:00:60Z", "24:00:00Z", "10:00:00", "10:00:00z", "10:00:00+24:00"])
def test_a_time_that_no_clock_shows_is_none(text: str) -> None:
    assert not TIME.match(text)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "date", "pattern": "^2"},
        {"type": "string", "format": "uuid"},
        {"type": "string", "format": []},
        {},
    ],
)
def test_another_format_and_one_beside_a_pattern_stay(schema: dict[str, Any]) -> None:
    changed = dict(schema)
    narrow(changed)
    assert changed == schema


def test_a_format_of_the_calendar_becomes_its_pattern() -> None:
    schema = {"type": "string", "format": "time", "maxLength": 20}
    narrow(schema)
    assert schema == {"type": "string", "maxLength": 20, "pattern": PATTERNS["time"]}
