"""What vLLM's and OpenAI's requests want counted, and what of them is refused by name."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import InputTokenCountResponse

from services.edge.domain.generation import GenerationRequest, Message, Role
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.counts.request import (
    IDS_PER_PART,
    input_tokens_json,
    parse_input_tokens,
    parse_tokenize,
    tokenize_json,
)
from services.edge.domain.openai.public_names import expectation, name_for
from services.edge.domain.openai.responses.request import parse_response
from services.edge.domain.ports import TokenCount
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError, Reason

USER = {"role": "user", "content": "Bonjour"}
TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
FLAT = {"type": "function", "name": "clock", "parameters": {"type": "object"}}
# What a template renders besides, or is told; each may lack.
TOLD = st.fixed_dictionaries(
    {},
    optional={
        "chat_template_kwargs": st.dictionaries(
            st.sampled_from(["enable_thinking", "style"]), st.none() | st.booleans() | st.integers(0, 9)
        ),
        "enable_thinking": st.none() | st.booleans(),
    },
)
EFFORTS = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", None])
SPECIAL = {"add_special_tokens": True}


@given(st.text())
def test_a_text_is_counted_as_it_is(text: str) -> None:
    asked = parse_tokenize({"model": "m", "prompt": text})
    assert (asked.generation.model, asked.generation.prompt) == ("m", text)
    assert asked.generation.messages == ()
    assert asked.returns_ids


def test_a_chat_is_counted_as_its_answer_reads_it() -> None:
    asked = parse_tokenize({"messages": [USER], "add_generation_prompt": True, "return_token_strs": False})
    assert asked.generation.messages == (Message(Role.USER, "Bonjour"),)
    assert (asked.generation.model, asked.generation.prompt) == ("", None)


def rendered(generation: GenerationRequest) -> tuple[object, ...]:
    """All of a request that its prompt is made of."""
    asked = generation
    return asked.messages, asked.tools, asked.reasoning_effort, asked.template_arguments, asked.prompt


@given(told=TOLD, effort=EFFORTS, tools=st.sampled_from([None, [], [TOOL]]))
def test_a_chat_is_counted_with_all_that_its_template_renders(told: Any, effort: Any, tools: Any) -> None:
    body = {"messages": [USER], "reasoning_effort": effort, "tools": tools, **told}
    asked = parse_tokenize(body)
    assert rendered(asked.generation) == rendered(parse_chat(body).generation)
    assert asked.generation.prompt_tokens_upper_bound <= asked.answer_bytes + 1024


@given(
    told=TOLD,
    effort=EFFORTS,
    tools=st.sampled_from([None, [], [FLAT]]),
    text=st.sampled_from([None, {"format": {"type": "json_object"}}]),
    choice=st.sampled_from([None, "none", "auto"]),
)
def test_an_input_is_counted_with_all_that_its_template_renders(
    told: Any, effort: Any, tools: Any, text: Any, choice: Any
) -> None:
    body = {
        "input": "Bonjour",
        "instructions": "Sois bref.",
        "reasoning": {"effort": effort},
        "tools": tools,
        "text": text,
        "tool_choice": choice,
        "truncation": "auto",
        **told,
    }
    counted, answered = parse_input_tokens(body).generation, parse_response(body).generation
    if counted.tools is not None and answered.tools is not None:
        # Which of them may be called, and how often, is no part of a prompt.
        assert counted.tools.tools == answered.tools.tools
        counted, answered = replace(counted, tools=None), replace(answered, tools=None)
    assert rendered(counted) == rendered(answered)


def test_tools_that_are_left_out_of_an_input_are_told_as_without_effect() -> None:
    asked = parse_input_tokens({"input": "a", "tools": [{"type": "web_search"}, FLAT]})
    assert (asked.without_effect, asked.tool_places) == (1, (1,))
    assert asked.named_as_sent("tools[0].function.parameters") == "tools[1].parameters"
    assert asked.named_as_sent("reasoning_effort") == "reasoning.effort"


def test_what_a_replica_refuses_is_named_as_it_was_sent() -> None:
    switched = parse_tokenize({"messages": [USER], "enable_thinking": True})
    assert switched.named_as_sent("chat_template_kwargs") == "enable_thinking"
    both = parse_tokenize({"messages": [USER], "enable_thinking": True, "chat_template_kwargs": {"a": 1}})
    assert both.named_as_sent("chat_template_kwargs") == "chat_template_kwargs"
    assert parse_tokenize({"prompt": "a"}).named_as_sent("messages") == "prompt"


@pytest.mark.parametrize(
    ("input_", "messages"),
    [
        ("Bonjour", [Message(Role.USER, "Bonjour")]),
        ([USER], [Message(Role.USER, "Bonjour")]),
        (
            [
                {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "a"}]},
                {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
            ],
            [Message(Role.SYSTEM, "a"), Message(Role.ASSISTANT, "b")],
        ),
    ],
)
def test_an_input_is_a_text_or_messages_behind_the_instructions(input_: Any, messages: list[Message]) -> None:
    assert parse_input_tokens({"model": "m", "input": input_}).generation.messages == tuple(messages)
    asked = parse_input_tokens({"input": input_, "instructions": "Sois bref.", "tools": []})
    assert asked.generation.messages == (Message(Role.SYSTEM, "Sois bref."), *messages)
    assert not asked.returns_ids


@pytest.mark.parametrize(
    ("body", "name", "reason"),
    [
        ([], "", Reason.REQUEST_INVALID),
        ({}, "prompt", Reason.REQUEST_INVALID),
        ({"prompt": "a", "messages": [USER]}, "prompt", Reason.REQUEST_INVALID),
        ({"prompt": 1}, "prompt", Reason.REQUEST_INVALID),
        ({"messages": []}, "messages", Reason.REQUEST_INVALID),
        ({"messages": [{"role": "user"}]}, "messages[0].content", Reason.REQUEST_INVALID),
        ({"prompt": "a", "model": "x" * 257}, "model", Reason.REQUEST_INVALID),
        ({"prompt": "a", "add_special_tokens": False}, "add_special_tokens", Reason.PARAMETER_UNSUPPORTED),
        (
            {"messages": [USER], **SPECIAL},
            "add_special_tokens",
            Reason.PARAMETER_UNSUPPORTED,
        ),
        ({"prompt": "a", "return_token_strs": True}, "return_token_strs", Reason.PARAMETER_UNSUPPORTED),
        ({"messages": [USER], "tools": [{}]}, "tools", Reason.REQUEST_INVALID),
        ({"messages": [USER], "tools": [TOOL, TOOL]}, "tools", Reason.REQUEST_INVALID),
        ({"messages": [USER], "reasoning_effort": "ultra"}, "reasoning_effort", Reason.REQUEST_INVALID),
        ({"messages": [USER], "enable_thinking": "on"}, "enable_thinking", Reason.REQUEST_INVALID),
        (
            {"messages": [USER], "chat_template_kwargs": {"a": [1]}},
            "chat_template_kwargs",
            Reason.PARAMETER_UNSUPPORTED,
        ),
        ({"prompt": "a", "tools": [TOOL]}, "tools", Reason.PARAMETER_UNSUPPORTED),
        ({"messages": [USER], "functions": [{"name": "f"}]}, "functions", Reason.PARAMETER_UNSUPPORTED),
        ({"prompt": "a", "reasoning_effort": "low"}, "reasoning_effort", Reason.PARAMETER_UNSUPPORTED),
        (
            {"prompt": "a", "chat_template_kwargs": {"a": True}},
            "chat_template_kwargs",
            Reason.PARAMETER_UNSUPPORTED,
        ),
    ],
)
def test_what_tokenize_does_not_serve_is_refused_by_name(body: Any, name: str, reason: Reason) -> None:
    with pytest.raises(ComptoirError) as refusal:
        parse_tokenize(body)
    assert (refusal.value.field, refusal.value.reason) == (name, reason)
    if name:
        assert name_for(refusal.value, Endpoint.TOKENIZE) == name
        assert expectation(name, Endpoint.TOKENIZE)


@pytest.mark.parametrize(
    ("body", "name", "reason"),
    [
        ([], "", Reason.REQUEST_INVALID),
        ({}, "input", Reason.REQUEST_INVALID),
        ({"input": []}, "input", Reason.REQUEST_INVALID),
        ({"input": [{"content": "a"}]}, "input[0].role", Reason.REQUEST_INVALID),
        ({"input": [{"role": "tool", "content": "a"}]}, "input[0].role", Reason.REQUEST_INVALID),
        ({"input": [USER, {"role": "user"}]}, "input[1].content", Reason.REQUEST_INVALID),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input[0].content",
            Reason.REQUEST_INVALID,
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content",
            Reason.PARAMETER_UNSUPPORTED,
        ),
        ({"input": [{"type": "item_reference"}]}, "input[0].type", Reason.PARAMETER_UNSUPPORTED),
        ({"input": "a", "previous_response_id": "r"}, "previous_response_id", Reason.PARAMETER_UNSUPPORTED),
        ({"input": "a", "tools": [{}]}, "tools", Reason.REQUEST_INVALID),
        ({"input": "a", "tools": [{"type": "mcp"}]}, "tools[0].type", Reason.PARAMETER_UNSUPPORTED),
        ({"input": "a", "tools": [{"type": "function"}]}, "tools[0].name", Reason.REQUEST_INVALID),
        ({"input": "a", "tool_choice": "required"}, "tool_choice", Reason.REQUEST_INVALID),
        ({"input": "a", "truncation": "middle"}, "truncation", Reason.REQUEST_INVALID),
        ({"input": "a", "reasoning": {"effort": "x"}}, "reasoning.effort", Reason.REQUEST_INVALID),
    ],
)
def test_what_input_tokens_does_not_serve_is_refused_by_name(body: Any, name: str, reason: Reason) -> None:
    with pytest.raises(ComptoirError) as refusal:
        parse_input_tokens(body)
    assert (refusal.value.field, refusal.value.reason) == (name, reason)
    if name:
        assert name_for(refusal.value, Endpoint.INPUT_TOKENS) == name
        assert expectation(name, Endpoint.INPUT_TOKENS)


def test_what_is_too_long_is_named_as_it_was_sent() -> None:
    error = ComptoirError(Reason.CONTEXT_TOO_LONG, field="messages")
    assert name_for(error, Endpoint.INPUT_TOKENS) == "input"
    assert name_for(error, Endpoint.TOKENIZE) == "messages"
    error.field = "prompt"
    assert name_for(error, Endpoint.TOKENIZE) == "prompt"


def test_answers_are_those_of_vllm_and_openai() -> None:
    counted = TokenCount(3, 4096, (1, 2, 3))
    assert json.loads(b"".join(tokenize_json(counted))) == {
        "count": 3,
        "max_model_len": 4096,
        "tokens": [1, 2, 3],
        "token_strs": None,
    }
    told = InputTokenCountResponse.model_validate_json(b"".join(input_tokens_json(counted)))
    assert (told.input_tokens, told.object) == (3, "response.input_tokens")


@pytest.mark.parametrize("tokens", [0, 1, IDS_PER_PART - 1, IDS_PER_PART, IDS_PER_PART + 1, 131_072])
def test_ids_are_written_in_parts_none_of_which_takes_long(tokens: int) -> None:
    parts = list(tokenize_json(TokenCount(tokens, 131_072, tuple(range(tokens)))))
    assert json.loads(b"".join(parts))["tokens"] == list(range(tokens))
    assert max(part.count(b",") for part in parts) <= 8192
