"""What a person gives up on is exactly the positions that were listed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.ports import Partition, Record
from pipelines.usage.domain.rules import Rules, Span

OFFSETS = st.integers(0, 10**18 - 1)


@pytest.mark.parametrize(
    ("text", "span"),
    [("a.b:3:17", Span("a.b", 3, 17, 17)), ("a.b:0:5-9", Span("a.b", 0, 5, 9))],
)
def test_a_position_and_a_span_are_read(text: str, span: Span) -> None:
    assert Span.of(text) == span


@given(OFFSETS, OFFSETS, OFFSETS)
def test_both_ends_of_a_span_are_given_up_and_nothing_beyond(first: int, last: int, offset: int) -> None:
    rules = Rules(given_up=(f"topic:1:{first}-{last}",))
    is_listed = first <= offset <= last
    assert rules.is_given_up(Record(Partition("topic", 1), offset, b"")) == is_listed
    assert not rules.is_given_up(Record(Partition("topic", 2), offset, b""))
    assert not rules.is_given_up(Record(Partition("other", 1), offset, b""))
