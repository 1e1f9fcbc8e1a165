"""Deltas that are told together say what they say apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.delta import Delta, EngineFinish, TokenChoice, TokenLogprob, ToolCallPart

TOKENS = st.builds(TokenLogprob, st.binary(max_size=2), st.integers(0, 9), st.floats(-9, 0))
DELTAS = st.builds(
    Delta,
    st.text(max_size=3),
    st.integers(0, 3),
    st.sampled_from([None, *EngineFinish]),
    reasoning=st.text(max_size=3),
    tokens=st.lists(st.builds(TokenChoice, TOKENS), max_size=2).map(tuple),
    token_ids=st.lists(st.integers(0, 9), max_size=2).map(tuple),
)


@given(st.lists(DELTAS, min_size=1, max_size=6))
def test_a_delta_that_took_others_in_has_all_that_they_had_and_the_last_ones_finish(
    deltas: list[Delta],
) -> None:
    whole = Delta()
    for delta in deltas:
        assert whole.can_grow_by(delta)
        whole.grow_by(delta)
    assert whole.text == "".join(delta.text for delta in deltas)
    assert whole.reasoning == "".join(delta.reasoning for delta in deltas)
    assert whole.output_tokens == sum(delta.output_tokens for delta in deltas)
    assert whole.tokens == tuple(token for delta in deltas for token in delta.tokens)
    assert whole.token_ids == tuple(token_id for delta in deltas for token_id in delta.token_ids)
    assert whole.finish is deltas[-1].finish


@pytest.mark.parametrize("other", [Delta("b", index=1), Delta(tool_call=ToolCallPart(0, arguments="{"))])
def test_another_choice_and_a_call_of_a_tool_are_told_apart_from_a_text(other: Delta) -> None:
    assert not Delta("a").can_grow_by(other)
    assert not other.can_grow_by(Delta("a"))


@pytest.mark.parametrize(
    ("delta", "is_visible"),
    [
        (Delta(output_tokens=1), False),
        (Delta(finish=EngineFinish.STOP), False),
        (Delta("a"), True),
        (Delta(reasoning="a"), True),
        (Delta(token_ids=(5,)), True),
        (Delta(tokens=(TokenChoice(TokenLogprob(b"\xc3", 5, -1.0)),)), True),
        (Delta(tool_call=ToolCallPart(0, call_id="1", name="f")), True),
    ],
)
def test_a_caller_has_seen_something_once_a_delta_had_text_reasoning_or_a_call_of_a_tool(
    delta: Delta, *, is_visible: bool
) -> None:
    assert delta.is_visible is is_visible
