import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import Role
from services.edge.domain.openai.chat.request import (
    MAX_OUTPUT_TOKENS,
    SMALLEST_TOP_P,
    ChatRequest,
    parse_chat,
)
from services.edge.domain.openai.public_names import EXPECTED, is_public
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.domain.openai.chat.chats import CHAT, JSON, USER, refusal

TOP_LEVEL = [name for name in EXPECTED if "." not in name and "[" not in name]


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
            "n": 2,
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
        "n": 2,
        "ignore_eos": True,
        "stop_token_ids": (2, 3),
    }
    assert chat.generation.is_streamed
    assert chat.includes_usage


@pytest.mark.parametrize(
    ("asked", "logprobs"),
    [
        ({}, None),
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 5.0}, 5),
        ({"top_logprobs": 0}, None),
    ],
)
def test_logprobs_come_where_they_are_asked_for(asked: dict[str, object], logprobs: int | None) -> None:
    assert parse_chat(CHAT | asked).generation.sampling.get("logprobs") == logprobs


def test_a_request_for_several_choices_says_how_many() -> None:
    assert parse_chat(CHAT | {"n": 3}).generation.choices == 3
    assert parse_chat(CHAT).generation.choices == 1


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


def test_what_an_earlier_answer_refused_is_what_it_said() -> None:
    refused = {"type": "refusal", "refusal": "Je ne peux pas."}
    said = {"role": "assistant", "content": [{"type": "text", "text": "a"}, refused]}
    parsed = parse_chat(CHAT | {"messages": [USER, said, USER]}).generation.messages
    assert parsed[1].parts == ("a", "Je ne peux pas.")
    without = {"role": "assistant", "content": [{"type": "refusal", "text": "x"}]}
    assert refusal(messages=[without]).field == "messages[0].content"


@pytest.mark.parametrize("type_", ["input_text", "output_text"])
def test_a_part_may_be_a_text_by_the_word_of_responses(type_: str) -> None:
    parsed = parse_chat(CHAT | {"messages": [{"role": "user", "content": [{"type": type_, "text": "a"}]}]})
    assert parsed.generation.messages[0].text == "a"


@pytest.mark.parametrize(
    ("stop", "read"), [("", ()), ([], ()), (["", "a", ""], ("a",)), ("€" * 85, ("€" * 85,))]
)
def test_an_empty_string_stops_nothing_as_forms_that_send_one_mean_it(
    stop: object, read: tuple[str, ...]
) -> None:
    assert parse_chat(CHAT | {"stop": stop}).generation.sampling["stop"] == read


def test_the_upper_bound_counts_bytes_and_the_template() -> None:
    chat = parse_chat(CHAT | {"messages": [USER, {"role": "user", "content": "é€"}]})
    assert chat.generation.prompt_tokens_upper_bound == 7 + 5 + 2 * 16 + 64


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


@pytest.mark.parametrize(
    ("changes", "field"),
    [
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
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": False, "top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": 1}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 20, "n": 7}, "top_logprobs"),
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
