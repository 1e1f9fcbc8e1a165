"""Fields that are not served: without effect they are ignored, with one they are refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.parameters import IGNORED, NEUTRAL, Neutral
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.domain.openai.chat.chats import CHAT, JSON, USER, refusal

HARMLESS: dict[str, object] = {
    "metadata": {"a": "b"},
    "user": "somebody",
    "safety_identifier": "x",
    "store": False,
    "prompt_cache_key": "x",
    "prompt_cache_retention": "24h",
    "verbosity": "low",
    "parallel_tool_calls": True,
    "modalities": ["text"],
    "prediction": {},
    "web_search_options": {},
    "tools": [],
    "tool_choice": "auto",
    "logprobs": False,
    "top_logprobs": 0,
    "response_format": {"type": "text"},
    "something_new": [1, 2],
}


@pytest.mark.parametrize("name", HARMLESS)
def test_optional_fields_without_effect_are_ignored(name: str) -> None:
    assert parse_chat(CHAT | {name: HARMLESS[name]}) == parse_chat(CHAT)


UNSUPPORTED: dict[str, object] = {
    "audio": {"voice": "x"},
    "modalities": ["text", "audio"],
    "store": True,
    "cache_salt": "mine",
    "chat_template": "x",
    "prompt_embeds": "x",
    "guided_grammar": "x",
    "continue_final_message": True,
    "add_generation_prompt": False,
    "documents": [{"text": "x"}],
    "thinking": {"type": "enabled"},
    "reasoning": {"effort": "low"},
    # of Ollama, llama.cpp, SGLang, TGI, Mistral and OpenAI's other endpoints
    "max_new_tokens": 5,
    # of OpenAI's Responses, and a name of our own schemas
    "max_output_tokens": 5,
    "n_predict": 5,
    "num_predict": 5,
    "min_new_tokens": 3,
    "repeat_penalty": 1.2,
    "random_seed": 3,
    "do_sample": False,
    "stop_sequences": ["a"],
    "stop_regex": "a+",
    "format": "json",
    "json_schema": {"type": "object"},
    "options": {"temperature": 0},
    "system": "x",
    "prompt": "x",
    "input": "x",
    "xtc_probability": 0.3,
    "dry_multiplier": 1,
    "mirostat_mode": 2,
    "safe_prompt": True,
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_known_and_not_served_is_named(name: str) -> None:
    error = refusal(**{name: UNSUPPORTED[name]})
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, name)


@pytest.mark.parametrize("name", NEUTRAL)
def test_what_changes_nothing_is_no_reason_to_refuse(name: str) -> None:
    for value in (None, *NEUTRAL[name].values):
        assert parse_chat(CHAT | {name: value}) == parse_chat(CHAT)


@given(name=st.sampled_from(list(NEUTRAL)), value=JSON)
def test_a_known_field_is_served_neutral_or_refused_by_its_name(name: str, value: object) -> None:
    try:
        parsed = parse_chat(CHAT | {name: value})
    except ComptoirError as error:
        assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, name)  # noqa: PT017
    else:
        assert NEUTRAL[name].has(value)
        assert parsed == parse_chat(CHAT)


@pytest.mark.parametrize(("neutral", "value"), [(0, False), (1, True), (False, 0), (True, 1)])
def test_a_boolean_is_no_number_where_nothing_changes_either(neutral: object, value: object) -> None:
    assert Neutral((neutral,), "").has(neutral)
    assert not Neutral((neutral,), "").has(value)


def test_nulls_everywhere_are_a_plain_chat() -> None:
    body = dict.fromkeys([*ChatBody.__struct_fields__, *IGNORED, *NEUTRAL])
    message = {**USER, "name": None, "tool_calls": None, "function_call": None, "audio": None}
    assert parse_chat(body | {"model": "tiny-eu", "messages": [message]}) == parse_chat(CHAT)


@pytest.mark.parametrize("name", ["prefix", "partial"])
def test_the_start_of_an_answer_is_refused_by_the_message_it_is_in(name: str) -> None:
    error = refusal(messages=[USER, {"role": "assistant", "content": "Il", name: True}])
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, f"messages[1].{name}")
    assert parse_chat(CHAT | {"messages": [USER | {name: False}]}) == parse_chat(CHAT)


def test_a_field_that_nobody_knows_goes_nowhere() -> None:
    assert parse_chat(CHAT | {"kanarienvogel": {"a": [1]}}) == parse_chat(CHAT)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "assistant", "audio": {"id": "x"}}, "audio"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "content"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "content"),
    ],
)
def test_messages_that_are_not_text_are_named(message: dict[str, object], field: str) -> None:
    error = refusal(messages=[message])
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, f"messages[0].{field}")
