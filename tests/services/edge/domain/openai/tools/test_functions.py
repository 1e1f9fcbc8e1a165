"""OpenAI's older words for tools mean what the newer ones do; answers come in the words of the request."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from services.edge.domain.generation import Counts, Delta, FinishReason, Role, ToolCallDelta
from services.edge.domain.openai.chat.answers import ChatHead, ChunkWriter, WholeChat
from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.chat.request import named_as_sent, parse_chat
from services.edge.domain.openai.ignored_fields import count_ignored
from services.edge.domain.openai.public_names import is_public
from services.edge.domain.openai.tools.bodies import MAX_SCHEMA_BYTES
from services.kernel.errors import Reason
from tests.services.edge.domain.openai.chat.chats import CHAT, USER, refusal

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "weather", "description": "Wetter", "parameters": SCHEMA}
TIME = {"name": "time"}
TOOLS = [{"type": "function", "function": each} for each in (WEATHER, TIME)]
CALL = {"name": "weather", "arguments": '{"city": "Lyon"}'}
HEAD = ChatHead("0" * 32, 1_790_000_000, has_functions=True)
ENDINGS = [(FinishReason.TOOL_CALLS, "function_call"), (FinishReason.LENGTH, "length")]


@pytest.mark.parametrize(
    ("choice", "same"),
    [
        (None, None),
        ("none", "none"),
        ("auto", "auto"),
        ({"name": "time"}, {"type": "function", "function": {"name": "time"}}),
    ],
)
def test_functions_are_tools_of_which_one_is_called_at_most(choice: Any, same: Any) -> None:
    older = parse_chat(CHAT | {"functions": [WEATHER, TIME], "function_call": choice})
    newer = parse_chat(CHAT | {"tools": TOOLS, "tool_choice": same, "parallel_tool_calls": False})
    assert older.generation == newer.generation
    assert older.has_functions
    assert not newer.has_functions


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"functions": [TIME], "tools": TOOLS}, "functions"),
        ({"functions": [TIME], "tool_choice": "auto"}, "tool_choice"),
        ({"tools": TOOLS, "function_call": "auto"}, "function_call"),
        ({"function_call": {"name": "time"}}, "function_call"),
        ({"functions": [TIME], "function_call": {"name": "other"}}, "function_call"),
        ({"functions": [TIME], "function_call": "required"}, "function_call"),
        ({"functions": [TIME], "function_call": {}}, "function_call"),
        ({"functions": [TIME, TIME]}, "functions"),
        ({"functions": [{}]}, "functions"),
        ({"functions": [{"name": "a b"}]}, "functions[].name"),
        ({"functions": [TIME] * 129}, "functions"),
        (
            {"functions": [TIME, {"name": "a", "parameters": {"title": "x" * MAX_SCHEMA_BYTES}}]},
            "functions[1].parameters",
        ),
    ],
)
def test_what_breaks_a_rule_is_named_in_the_words_of_the_request(said: dict[str, Any], field: str) -> None:
    error = refusal(**said)
    assert error.reason is Reason.REQUEST_INVALID
    assert error.field.replace("[0]", "[]") == field
    assert is_public(error.field)


@pytest.mark.parametrize("said", [{"functions": []}, {"function_call": "none"}, {"function_call": "auto"}])
def test_what_says_nothing_of_functions_changes_nothing(said: dict[str, Any]) -> None:
    assert parse_chat(CHAT | said) == parse_chat(CHAT)


def test_what_a_replica_refuses_is_named_as_it_was_sent() -> None:
    name = "tools[3].function.parameters.not"
    assert named_as_sent({}, name, has_functions=True) == "functions[3].parameters.not"
    assert named_as_sent({}, name, has_functions=False) == name
    assert is_public("functions[3].parameters.not")
    assert named_as_sent({"a": "b"}, "a", has_functions=True) == "b"


def test_what_a_function_brought_answers_the_call_before_it() -> None:
    history = [
        USER,
        {"role": "assistant", "content": None, "function_call": CALL},
        {"role": "function", "name": "weather", "content": "20 °C"},
        {"role": "assistant", "content": "Noch etwas?", "function_call": {"name": "time"}},
        {"role": "function", "name": "time", "content": None},
    ]
    _, called, brought, again, nothing = parse_chat(CHAT | {"messages": history}).generation.messages
    (first,), (second,) = called.tool_calls, again.tool_calls
    assert (first.name, first.arguments, called.text) == ("weather", '{"city": "Lyon"}', "")
    assert (second.name, second.arguments, again.text) == ("time", "{}", "Noch etwas?")
    assert (brought.role, brought.tool_call_id, brought.text) == (Role.TOOL, first.call_id, "20 °C")
    assert (nothing.role, nothing.tool_call_id, nothing.text) == (Role.TOOL, second.call_id, "")
    # Some templates take no others.
    assert all(len(call.call_id) == 9 and call.call_id.isalnum() for call in (first, second))
    assert first.call_id != second.call_id


def test_a_history_that_was_cut_behind_a_call_is_read() -> None:
    brought, _ = parse_chat(
        CHAT | {"messages": [{"role": "function", "name": "f", "content": "x"}, USER]}
    ).generation.messages
    assert (brought.role, len(brought.tool_call_id)) == (Role.TOOL, 9)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "user", "content": "x", "function_call": CALL}, "function_call"),
        ({"role": "assistant", "function_call": {"arguments": "{}"}}, "function_call"),
        (
            {"role": "assistant", "function_call": CALL | {"arguments": "[" * 20_001}},
            "function_call.arguments",
        ),
        (
            {
                "role": "assistant",
                "function_call": CALL,
                "tool_calls": [{"id": "c", "type": "function", "function": CALL}],
            },
            "function_call",
        ),
    ],
)
def test_a_message_that_breaks_a_rule_is_named(message: dict[str, Any], field: str) -> None:
    error = refusal(messages=[message])
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, f"messages[0].{field}")
    assert is_public(error.field)


def test_functions_have_an_effect() -> None:
    body = {**CHAT, "functions": [WEATHER], "function_call": {"name": "weather"}}
    assert count_ignored(body, (ChatBody,)) == 0


@pytest.mark.parametrize(("finish", "said"), ENDINGS)
@given(parts=st.lists(st.text(max_size=8), max_size=4), text=st.text(max_size=5))
def test_a_stream_and_a_whole_answer_call_a_function_alike(
    parts: list[str], text: str, finish: FinishReason, said: str
) -> None:
    deltas = [
        Delta(text, tool_call=ToolCallDelta(0, "call_0", "weather")),
        *(Delta(tool_call=ToolCallDelta(0, arguments=part)) for part in parts),
        Delta(finish=finish),
    ]
    whole, writer = WholeChat(HEAD), ChunkWriter(HEAD, includes_usage=False)
    frames = writer.opening("tiny-eu")
    for delta in deltas:
        whole.add(delta)
        frames += writer.frames(delta)
    body = b"".join(whole.parts(Counts(1, 0, 2), "tiny-eu"))
    (choice,) = ChatCompletion.model_validate(json.loads(body)).choices
    assert (choice.finish_reason, choice.message.content) == (said, text or None)
    assert choice.message.tool_calls is None
    call = choice.message.function_call
    assert call is not None
    assert (call.name, call.arguments) == ("weather", "".join(parts))
    chunks = [
        ChatCompletionChunk.model_validate(json.loads(frame.removeprefix("data: "))).choices[0]
        for frame in frames.decode().split("\n\n")[:-1]
    ]
    pieces = [chunk.delta.function_call for chunk in chunks if chunk.delta.function_call]
    assert [piece.name for piece in pieces if piece.name] == ["weather"]
    assert "".join(piece.arguments or "" for piece in pieces) == call.arguments
    assert all(chunk.delta.tool_calls is None for chunk in chunks)
    assert chunks[-1].finish_reason == said
