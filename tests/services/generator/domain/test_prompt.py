"""The size of a prompt is that of what it says, and its tokens are the model's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.prompt import (
    Chat,
    ChatTurn,
    Role,
    Text,
    TokenIds,
    check_ids,
    field_of,
    text_bytes,
)
from services.kernel.errors import ComptoirError, Reason

TEXT = st.text(max_size=8)


def test_a_turn_says_its_parts_or_its_text() -> None:
    assert ChatTurn(Role.USER, "a").texts == ("a",)
    assert ChatTurn(Role.USER, "a\nb", ("a", "b")).texts == ("a", "b")


@given(st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=3)), max_size=4))
def test_bytes_are_counted_and_not_characters(said: list[tuple[str, list[str]]]) -> None:
    turns = [ChatTurn(Role.USER, text, tuple(parts)) for text, parts in said]
    assert text_bytes(Chat(turns)) == len("".join("".join(parts or [text]) for text, parts in said).encode())


@given(TEXT, st.lists(st.integers(0, 9), max_size=4))
def test_a_text_has_its_bytes_and_token_ids_have_none(text: str, ids: list[int]) -> None:
    assert text_bytes(Text(text)) == len(text.encode())
    assert text_bytes(TokenIds(ids)) == 0


def test_a_prompt_is_named_as_its_caller_sent_it() -> None:
    assert field_of(Chat(())) == "messages"
    assert field_of(Text("")) == field_of(TokenIds([1])) == "prompt"


@given(st.lists(st.integers(0, 2**32 - 1), max_size=4), st.integers(1, 2**31))
def test_token_ids_are_those_of_the_vocabulary(ids: list[int], vocabulary_tokens: int) -> None:
    if ids and all(token_id < vocabulary_tokens for token_id in ids):
        check_ids(TokenIds(ids), vocabulary_tokens)
        return
    with pytest.raises(ComptoirError) as refusal:
        check_ids(TokenIds(ids), vocabulary_tokens)
    assert (refusal.value.reason, refusal.value.field) == (Reason.REQUEST_INVALID, "prompt")


def test_a_vocabulary_that_is_not_known_bounds_nothing() -> None:
    check_ids(TokenIds([2**32 - 1]), 0)
