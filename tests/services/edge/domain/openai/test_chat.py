from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import Role
from services.edge.domain.openai.chat import MAX_OUTPUT_TOKENS, SMALLEST_TOP_P, ChatRequest, parse_chat
from services.edge.domain.openai.chat_body import ChatBody
from services.edge.domain.openai.parameters import IGNORED, NEUTRAL, Neutral
from services.edge.domain.openai.public_names import EXPECTED, is_public
from services.kernel.errors import ComptoirError, Reason

USER: dict[str, Any] = {"role": "user", "content": "Bonjour"}
CHAT: dict[str, Any] = {"model": "tiny-eu", "messages": [USER]}

TOP_LEVEL = [name for name in EXPECTED if "." not in name and "[" not in name]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["user", "assistant", "tool", "text", "image_url", "none"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls", "include_usage"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def refusal(**changes: object) -> ComptoirError:
    with pytest.raises(ComptoirError) as raised:
        parse_chat(CHAT | changes)
    return raised.value


@given(JSON)
def test_any_json_is_a_chat_or_a_refusal(body: object) -> None:
    try:
        parse_chat(body)
    except ComptoirError as error:
        assert error.reason in (Reason.REQUEST_INVALID, Reason.PARAMETER_UNSUPPORTED)  # noqa: PT017
        assert not error.field or is_public(error.field)  # noqa: PT017


@given(st.dictionaries(st.sampled_from(TOP_LEVEL), JSON, max_size=6), st.lists(JSON, max_size=3))
def test_any_values_of_known_parameters_make_a_chat_or_a_refusal(
    changes: dict[str, object], messages: list[object]
) -> None:
    try:
        parsed = parse_chat(CHAT | {"messages": [USER, *messages]} | changes)
    except ComptoirError as error:
        assert not error.field or is_public(error.field)  # noqa: PT017
    else:
        assert isinstance(parsed, ChatRequest)
        temperature = parsed.generation.sampling.get("temperature", 0.0)
        assert isinstance(temperature, float)
        assert 0 <= temperature <= 2


def test_a_plain_chat_has_defaults() -> None:
    chat = parse_chat(CHAT)
    assert chat.generation.model == "tiny-eu"
    assert chat.generation.sampling == {}
    assert not chat.generation.is_streamed
    assert not chat.includes_usage


def test_every_sampling_parameter_is_read() -> None:
    chat = parse_chat(
        CHAT
        | {
            "max_tokens": 9,
            "max_completion_tokens": 7,
            "temperature": 0,
            "top_p": 0.5,
            "presence_penalty": -2,
            "frequency_penalty": 1.5,
            "seed": -(2**63),
            "stop": ["a", "\n"],
            "min_p": 0.1,
            "top_k": 20.0,
            "repetition_penalty": 1.1,
            "logit_bias": {"5": -100, "6": 0.5},
            "min_tokens": 3,
            "ignore_eos": True,
            "stop_token_ids": [2, 3],
            "stream": True,
            "stream_options": {"include_usage": True, "include_obfuscation": False},
        }
    )
    assert chat.generation.max_output_tokens == 7
    assert chat.generation.sampling == {
        "temperature": 0.0,
        "top_p": 0.5,
        "presence_penalty": -2.0,
        "frequency_penalty": 1.5,
        "seed": -(2**63),
        "stop": ("a", "\n"),
        "min_p": 0.1,
        "top_k": 20,
        "repetition_penalty": 1.1,
        "logit_bias": {5: -100.0, 6: 0.5},
        "min_tokens": 3,
        "ignore_eos": True,
        "stop_token_ids": (2, 3),
    }
    assert chat.generation.is_streamed
    assert chat.includes_usage


def test_a_nucleus_of_nothing_keeps_the_likeliest_token() -> None:
    assert parse_chat(CHAT | {"top_p": 0}).generation.sampling["top_p"] == SMALLEST_TOP_P


def test_roles_and_contents_are_read() -> None:
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "system", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "assistant", "refusal": None},
        {"role": "user", "content": []},
        {"role": "user", "content": [{"type": "text", "text": "c"}]},
        USER | {"name": "ada"},
    ]
    parsed = parse_chat(CHAT | {"messages": messages}).generation.messages
    assert [message.text for message in parsed] == ["a\nb", "", "", "", "", "c", "Bonjour"]
    assert [message.parts for message in parsed if message.parts] == [("a", "b")]
    assert [message.role for message in parsed][:3] == [Role.SYSTEM, Role.SYSTEM, Role.ASSISTANT]


def test_the_upper_bound_counts_bytes_and_the_template() -> None:
    chat = parse_chat(CHAT | {"messages": [USER, {"role": "user", "content": "é€"}]})
    assert chat.generation.prompt_tokens_upper_bound == 7 + 5 + 2 * 16 + 64


HARMLESS: dict[str, object] = {
    "metadata": {"a": "b"},
    "user": "somebody",
    "safety_identifier": "x",
    "store": False,
    "prompt_cache_key": "x",
    "prompt_cache_retention": "24h",
    "service_tier": "auto",
    "verbosity": "medium",
    "parallel_tool_calls": True,
    "modalities": ["text"],
    "prediction": {},
    "web_search_options": {},
    "tools": [],
    "tool_choice": "auto",
    "logprobs": False,
    "top_logprobs": 0,
    "n": 1,
    "response_format": {"type": "text"},
    "something_new": [1, 2],
}


@pytest.mark.parametrize("name", HARMLESS)
def test_optional_fields_without_effect_are_ignored(name: str) -> None:
    assert parse_chat(CHAT | {name: HARMLESS[name]}) == parse_chat(CHAT)


UNSUPPORTED: dict[str, object] = {
    "tools": [{}],
    "tool_choice": "required",
    "functions": [{}],
    "function_call": {"name": "f"},
    "response_format": {"type": "json_object"},
    "logprobs": True,
    "top_logprobs": 2,
    "n": 2,
    "audio": {"voice": "x"},
    "modalities": ["text", "audio"],
    "store": True,
    "cache_salt": "mine",
    "chat_template": "x",
    "chat_template_kwargs": {"a": 1},
    "prompt_embeds": "x",
    "structured_outputs": {"json": {}},
    "guided_json": {"a": 1},
    "guided_regex": "a+",
    "guided_choice": ["a"],
    "guided_grammar": "x",
    "reasoning_effort": "low",
    "verbosity": "low",
    "continue_final_message": True,
    "add_generation_prompt": False,
    "documents": [{"text": "x"}],
    "enable_thinking": False,
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
    "thinking_budget": 3,
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


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        (None, 0),
        (-1, 0),
        (0, 0),
        (-1.0, 0),
        (100.0, 100),
        (7, 7),
        (2**31 - 1, MAX_OUTPUT_TOKENS),
        (1e30, MAX_OUTPUT_TOKENS),
    ],
)
def test_a_limit_is_read_as_deployed_clients_mean_it(value: object, limit: int) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        assert parse_chat(CHAT | {name: value}).generation.max_output_tokens == limit
    both = parse_chat(CHAT | {"max_tokens": value, "max_completion_tokens": 9})
    assert both.generation.max_output_tokens == min(limit or 9, 9)


@given(st.integers() | st.floats())
def test_any_number_is_a_limit_no_limit_or_a_refusal(value: float) -> None:
    is_whole = isinstance(value, int) or value.is_integer()
    if not is_whole or value < -1:
        assert refusal(max_tokens=value).field == "max_tokens"
        return
    limit = parse_chat(CHAT | {"max_tokens": value}).generation.max_output_tokens
    assert limit == (0 if value in (-1, 0) else min(value, MAX_OUTPUT_TOKENS))


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
    ("changes", "field"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": "x" * 257}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": [USER] * 1025}, "messages"),
        ({"messages": [USER, "hello"]}, "messages[1]"),
        ({"messages": [{"role": "poet", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, "messages[0].content"),
        ({"messages": [USER | {"content": [{"type": "text", "text": ""}] * 1025}]}, "messages[0].content"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_tokens": -1.5}, "max_tokens"),
        ({"max_tokens": float("inf")}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_completion_tokens": False}, "max_completion_tokens"),
        ({"temperature": 2.01}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty"),
        ({"seed": 2**63}, "seed"),
        ({"min_p": 1.1}, "min_p"),
        ({"top_k": -2}, "top_k"),
        ({"top_k": 2**31}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 101}}, "logit_bias"),
        ({"logit_bias": {str(token): 1 for token in range(1025)}}, "logit_bias"),
        ({"logit_bias": [5]}, "logit_bias"),
        ({"stop_token_ids": [2] * 65}, "stop_token_ids"),
        ({"stop_token_ids": [-1]}, "stop_token_ids"),
        ({"min_tokens": -1}, "min_tokens"),
        ({"ignore_eos": 1}, "ignore_eos"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"seed": 1.5}, "seed"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stop": "€" * 86}, "stop"),
        ({"stop": [1]}, "stop"),
        ({"stop": {}}, "stop"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {}}, "stream_options"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
def test_what_breaks_a_rule_is_named(changes: dict[str, object], field: str) -> None:
    error = refusal(**changes)
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, field)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "tool", "content": "x"}, "role"),
        ({"role": "assistant", "content": None, "tool_calls": [{}]}, "tool_calls"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "function_call"),
        ({"role": "assistant", "audio": {"id": "x"}}, "audio"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "content"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "content"),
    ],
)
def test_messages_that_are_not_text_are_named(message: dict[str, object], field: str) -> None:
    error = refusal(messages=[message])
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, f"messages[0].{field}")
