"""A tokenizer that knows its control tokens in any case stands in for a model's own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.prompts.chat_prompt import ChatPrompt, is_short
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.adapters.prompts.character_tokenizer import CONTROL, TEXTS, CharacterTokenizer


def on_lines(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As vLLM does for a template that reads strings: each part on a line, and nothing of an empty one."""
    return [
        message
        if isinstance(message["content"], str)
        else message | {"content": "\n".join(part["text"] for part in message["content"] if part["text"])}
        for message in messages
    ]


PROMPT = ChatPrompt(CharacterTokenizer(), on_lines, context_tokens=1_000_000)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_no_text_becomes_a_control_token_and_no_character_is_lost(texts: list[str]) -> None:
    ids = PROMPT.token_ids(Chat([ChatTurn(Role.USER, text) for text in texts]))
    assert [token_id for token_id in ids if token_id < 100] == [1, 2] * len(texts) + [3]
    assert "".join(chr(token_id - 100) for token_id in ids if token_id >= 100) == "".join(texts)


@given(st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=3))
def test_parts_are_kept_apart_as_the_template_does_whatever_they_spell(turns: list[list[str]]) -> None:
    ids = PROMPT.token_ids(Chat([ChatTurn(Role.USER, "", tuple(parts)) for parts in turns]))
    assert [token_id for token_id in ids if token_id < 100] == [1, 2] * len(turns) + [3]
    said = "".join(chr(token_id - 100) for token_id in ids if token_id >= 100)
    assert said == "".join("\n".join(filter(None, parts)) for parts in turns)


@given(st.lists(st.text(alphabet="ab <|", max_size=10), min_size=1, max_size=3))
def test_text_without_control_tokens_is_tokenized_with_its_template(texts: list[str]) -> None:
    turns = [ChatTurn(Role.USER, text) for text in texts]
    conversation = [{"role": "user", "content": text} for text in texts]
    tokenizer = CharacterTokenizer()
    rendered = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
    assert PROMPT.token_ids(Chat(turns)) == tokenizer.encode(rendered, add_special_tokens=False)


def test_a_template_that_refuses_the_roles_refuses_the_request_in_no_words() -> None:
    with pytest.raises(ComptoirError) as error:
        PROMPT.token_ids(Chat([ChatTurn(Role.ASSISTANT, "kanarienvogel")]))
    assert error.value.reason is Reason.REQUEST_INVALID
    assert "kanarienvogel" not in str(error.value)


def test_a_prompt_that_fills_the_context_is_not_tokenized_a_second_time() -> None:
    encoded: list[int] = []

    class CountingTokenizer(CharacterTokenizer):
        def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
            encoded.append(len(text))
            return super().encode(text, add_special_tokens=add_special_tokens)

    prompt = ChatPrompt(CountingTokenizer(), on_lines, context_tokens=1000)
    ids = prompt.token_ids(Chat([ChatTurn(Role.USER, "<|end|>" * 20_000)]))
    # Their number, and no list of them.
    assert (type(ids), len(ids) >= 20_000) == (range, True)
    assert len(encoded) == 1


def test_a_text_of_nothing_but_control_spellings_takes_no_long_time() -> None:
    ids = PROMPT.token_ids(Chat([ChatTurn(Role.USER, "<|end|>" * 20_000)]))
    assert len(ids) == 3 + 7 * 20_000


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_only_text_that_spells_control_tokens_is_left_for_later(texts: list[str]) -> None:
    turns = [ChatTurn(Role.USER, text) for text in texts]
    is_spelt = any(spelling in text.lower() for text in texts for spelling in CONTROL)
    ids = PROMPT.ordinary_ids(Chat(turns))
    assert ids == (None if is_spelt else PROMPT.token_ids(Chat(turns)))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (Chat([ChatTurn(Role.USER, "é" * 496)]), True),
        (Chat([ChatTurn(Role.USER, "é" * 497)]), False),
        (Chat([ChatTurn(Role.USER, "", ("a" * 500, "a" * 493))]), False),
        (Chat([ChatTurn(Role.USER, "")] * 32), True),
        (Chat([ChatTurn(Role.USER, "")] * 33), False),
        (Text("é" * 512), True),
        (Text("é" * 513), False),
    ],
)
def test_a_prompt_is_short_by_its_bytes_and_its_turns(prompt: Chat | Text, expected: bool) -> None:
    assert is_short(prompt) is expected
