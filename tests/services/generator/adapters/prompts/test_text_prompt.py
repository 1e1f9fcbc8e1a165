"""A text gets what its tokenizer puts around it, and keeps every character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.prompts.text_prompt import TextPrompt
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.adapters.prompts.character_tokenizer import (
    CONTROL,
    START,
    STOP,
    TEXTS,
    CharacterTokenizer,
)

TOKENIZER = CharacterTokenizer()
PROMPT = TextPrompt(TOKENIZER, context_tokens=1_000_000)


@given(TEXTS)
def test_no_text_becomes_a_control_token_and_no_character_is_lost(text: str) -> None:
    ids = PROMPT.token_ids(text)
    assert [token_id for token_id in ids if token_id < 100] == [START, STOP]
    assert TOKENIZER.decode(ids, skip_special_tokens=True) == text


@given(st.text(alphabet="ab <|", max_size=10))
def test_ordinary_text_is_tokenized_as_the_tokenizer_does(text: str) -> None:
    assert PROMPT.ordinary_ids(text) == TOKENIZER.encode(text, add_special_tokens=True)


@given(TEXTS)
def test_only_text_that_spells_control_tokens_is_left_for_later(text: str) -> None:
    is_spelt = any(spelling in text.lower() for spelling in CONTROL)
    assert (PROMPT.ordinary_ids(text) is None) is is_spelt


def test_a_tokenizer_that_adds_nothing_leaves_a_text_alone() -> None:
    class BareTokenizer(CharacterTokenizer):
        def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
            return super().encode(text, add_special_tokens=False)

    prompt = TextPrompt(BareTokenizer(), context_tokens=1_000)
    assert prompt.token_ids("") == []
    assert all(token_id >= 100 for token_id in prompt.token_ids("a<|end|>b"))


def test_a_character_that_is_a_control_token_by_itself_is_refused_by_name() -> None:
    class GreedyTokenizer(CharacterTokenizer):
        def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
            return [
                START if token_id == ord("§") + 100 else token_id
                for token_id in super().encode(text, add_special_tokens=add_special_tokens)
            ]

    with pytest.raises(ComptoirError) as refusal:
        TextPrompt(GreedyTokenizer(), context_tokens=1_000).token_ids("a§b")
    assert (refusal.value.reason, refusal.value.field) == (Reason.REQUEST_INVALID, "prompt")


def test_of_a_text_that_is_too_long_a_tokenizer_tells_the_number_of_tokens_alone() -> None:
    class MeasuringTokenizer(CharacterTokenizer):
        def encode_up_to(self, text: str, most_tokens: int, *, add_special_tokens: bool) -> range:
            assert (most_tokens, add_special_tokens) == (1_000, True)
            return range(len(text) + 2)

    assert TextPrompt(MeasuringTokenizer(), context_tokens=1_000).token_ids("a" * 2_000) == range(2_002)
