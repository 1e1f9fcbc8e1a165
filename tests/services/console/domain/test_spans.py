"""Steps end with that of now, are as many as the span has, and begin at whole ones."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from services.console.domain.spans import Span


@given(now=st.floats(min_value=1e9, max_value=4e9), span=st.sampled_from(Span))
def test_steps_fill_the_span_and_end_now(now: float, span: Span) -> None:
    steps = span.steps(now)
    assert len(steps) == span.seconds // span.step_seconds
    assert steps[-1] <= now < steps[-1] + span.step_seconds
    assert {after - before for before, after in itertools.pairwise(steps)} == {span.step_seconds}
    assert all(step % span.step_seconds == 0 for step in steps)


def test_a_word_that_is_no_span_is_the_shortest() -> None:
    assert [Span.of(word) for word in ("week", "<b>", "")] == [Span.WEEK, Span.HOUR, Span.HOUR]
