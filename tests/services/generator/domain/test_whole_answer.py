"""An answer in one piece says what its messages say, and never more than a message may hold."""

import pytest
from comptoir.generator.v1 import generator_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.delta import Delta, TokenChoice, TokenLogprob, ToolCallPart
from services.generator.domain.generation import Finished, Started
from services.generator.domain.terminal_event import Counts, Outcome
from services.generator.domain.timeline import Timings
from services.generator.domain.whole_answer import MAX_BYTES, WholeAnswer
from services.generator.wire.answers import whole_from
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity

IDS = st.integers(0, 2**32 - 1)
TOKENS = st.builds(TokenLogprob, st.binary(max_size=40), IDS, st.floats(-9, 0, width=32))
TEXTS = st.text(max_size=9)
DELTAS = st.builds(
    Delta,
    TEXTS,
    st.integers(0, 3),
    reasoning=TEXTS,
    index=st.integers(0, 2),
    tokens=st.lists(st.builds(TokenChoice, TOKENS, st.lists(TOKENS, max_size=3).map(tuple)), max_size=2).map(
        tuple
    ),
    token_ids=st.lists(IDS, max_size=3).map(tuple),
    tool_call=st.none() | st.builds(ToolCallPart, st.integers(0, 1), TEXTS, TEXTS, TEXTS),
)
STARTED = Started(Identity(2**64 - 1, 2**64 - 1), 2**32 - 1)


def finished(choices: int) -> Finished:
    timings = Timings(2**63, 2**63, 2**63, 2**63, 2**63)
    return Finished((Outcome.LENGTH,) * choices, Counts(2**32 - 1, 2**32 - 1, 2**32 - 1), timings)


def whole(*deltas: Delta, choices: int = 3, max_bytes: int = MAX_BYTES) -> WholeAnswer:
    answer = WholeAnswer(max_bytes=max_bytes)
    answer.put(STARTED)
    for delta in deltas:
        answer.put(delta)
    answer.put(finished(choices))
    return answer


@given(st.lists(DELTAS, max_size=8))
def test_each_choice_has_all_that_its_deltas_had(deltas: list[Delta]) -> None:
    for index, choice in enumerate(whole(*deltas).choices):
        parts = [delta for delta in deltas if delta.index == index]
        assert choice.text == "".join(delta.text for delta in parts)
        assert choice.reasoning == "".join(delta.reasoning for delta in parts)
        assert choice.tokens == [token for delta in parts for token in delta.tokens]
        assert choice.token_ids == [token_id for delta in parts for token_id in delta.token_ids]
        for number, call in choice.calls.items():
            pieces = [delta.tool_call for delta in parts if delta.tool_call]
            pieces = [piece for piece in pieces if piece.index == number]
            assert (call.call_id, call.name) == (pieces[0].call_id, pieces[0].name)
            assert call.arguments == "".join(piece.arguments for piece in pieces)


def test_a_choice_that_says_nothing_is_one_too() -> None:
    assert [choice.text for choice in whole(Delta("a", index=1), choices=3).choices] == ["", "a", ""]


@given(st.lists(DELTAS, max_size=8), st.integers(1, 600))
def test_what_passes_the_bound_fits_a_message_of_that_size(deltas: list[Delta], max_bytes: int) -> None:
    try:
        answer = whole(*deltas, max_bytes=max_bytes)
    except ComptoirError as refusal:
        assert refusal.reason is Reason.ANSWER_TOO_LARGE  # noqa: PT017 - either way is right
        return
    around = whole_from(whole(choices=3)).ByteSize()
    # The lengths of the choices themselves.
    assert whole_from(answer).ByteSize() <= max_bytes + around + 3 * 8


def test_the_bound_leaves_room_in_what_every_client_receives() -> None:
    text = "é" * 1000
    deltas = [Delta(text, index=number % 16) for number in range(MAX_BYTES // 2100)]
    message = whole_from(whole(*deltas, choices=16))
    assert MAX_BYTES // 2 < message.ByteSize() < 4 * 1024 * 1024
    with pytest.raises(ComptoirError) as refusal:
        whole(*deltas, *deltas, choices=16)
    assert refusal.value.numbers.limit == MAX_BYTES


def test_the_message_says_why_each_choice_ended() -> None:
    message = whole_from(whole(Delta("a"), choices=2))
    assert {choice.finish_reason for choice in message.choices} == {generator_pb2.FINISH_REASON_LENGTH}
    assert message.started.input_tokens == message.finished.input_tokens
