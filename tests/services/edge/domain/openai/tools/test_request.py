"""Tools are read whole, or refused by the name of what is wrong with them and no word of the caller."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given

from services.edge.domain.generation import Message
from services.edge.domain.openai.chat.request import chat_steps, parse_chat
from services.edge.domain.openai.public_names import is_public
from services.edge.domain.openai.responses.request import response_steps
from services.edge.domain.openai.tools.request import schema_text
from services.edge.domain.structure import MAX_VALUES
from services.edge.domain.tools import Tools, ToolUse
from services.kernel.errors import ComptoirError, Reason
from services.kernel.steps import Steps
from tests.services.edge.domain.openai.chat.chats import CHAT, JSON, USER, refusal

SCHEMA = {"type": "object", "properties": {"größe": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Wetter", "parameters": SCHEMA}}
TIME = {"type": "function", "function": {"name": "time", "strict": True}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"a": 1}'}}


DEEP = "[" * 5_000
HALF = '{"a": "\\ud800"}'


def tools(**asked: object) -> Tools:
    read = parse_chat(CHAT | {"tools": [WEATHER, TIME]} | asked).generation.tools
    assert read is not None
    return read


def test_functions_are_read_with_their_schemas_in_their_order() -> None:
    weather, time = tools().tools
    assert (weather.name, weather.description, json.loads(weather.parameters_schema)) == (
        "weather",
        "Wetter",
        SCHEMA,
    )
    assert (time.name, time.description) == ("time", "")


@pytest.mark.parametrize("said", [{}, {"parameters": None}, {"parameters": {}}])
def test_a_function_that_says_nothing_of_parameters_takes_none(said: dict[str, object]) -> None:
    (time,) = tools(tools=[{"type": "function", "function": {"name": "time", **said}}]).tools
    assert json.loads(time.parameters_schema) == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, (ToolUse.AUTO, (), False)),
        ("auto", (ToolUse.AUTO, (), False)),
        ("none", (ToolUse.NONE, (), False)),
        ("required", (ToolUse.REQUIRED, (), False)),
        ({"type": "function", "function": {"name": "time"}}, (ToolUse.REQUIRED, ("time",), True)),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TIME, WEATHER]}},
            (ToolUse.REQUIRED, ("time", "weather"), False),
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TIME]}},
            (ToolUse.AUTO, ("time",), False),
        ),
    ],
)
def test_a_choice_says_which_tools_are_called(
    choice: object, expected: tuple[ToolUse, tuple[str, ...], bool]
) -> None:
    read = tools(tool_choice=choice)
    assert (read.use, read.permitted, read.is_one_call) == expected


def test_calls_that_may_not_be_parallel_are_one() -> None:
    assert tools(parallel_tool_calls=False).is_one_call
    assert not tools(parallel_tool_calls=True).is_one_call


@pytest.mark.parametrize("asked", [{}, {"tools": None}, {"tools": []}, {"tool_choice": "none"}])
def test_a_chat_without_tools_has_none(asked: dict[str, object]) -> None:
    assert parse_chat(CHAT | asked).generation.tools is None


def named(name: object) -> dict[str, object]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [TIME, TIME]}, "tools"),
        ({"tools": [TIME] * 129}, "tools"),
        ({"tools": [{"type": "web_search"}]}, "tools[].type"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tools": [named("geheimes wort")]}, "tools[].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]},
            "tools[].function.parameters",
        ),
        ({"tools": [TIME], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [TIME], "tool_choice": named("weather")}, "tool_choice"),
        ({"tools": [TIME], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tools": [TIME], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TIME], "parallel_tool_calls": 1}, "parallel_tool_calls"),
    ],
)
def test_tools_that_are_none_are_refused_by_name(asked: dict[str, Any], field: str) -> None:
    error = refusal(**asked)
    assert error.reason is Reason.REQUEST_INVALID
    assert error.field.replace("[0]", "[]") == field
    assert is_public(error.field)


@given(JSON, JSON)
def test_any_values_are_tools_or_refused_with_a_public_name(told: object, choice: object) -> None:
    try:
        parse_chat(CHAT | {"tools": told, "tool_choice": choice})
    except ComptoirError as error:
        assert is_public(error.field)  # noqa: PT017 - one outcome of two


def messages(*read: dict[str, object]) -> tuple[Message, ...]:
    return parse_chat(CHAT | {"messages": [USER, *read]}).generation.messages[1:]


def test_a_history_of_calls_and_what_they_brought_is_read() -> None:
    turn, answer = messages(
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "20 °C"},
    )
    (call,) = turn.tool_calls
    assert (call.call_id, call.name, json.loads(call.arguments)) == ("call_1", "weather", {"a": 1})
    assert (answer.role.value, answer.tool_call_id, answer.text) == ("tool", "call_1", "20 °C")


@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": ""}, {"content": []}])
def test_a_tool_may_have_brought_nothing(content: dict[str, object]) -> None:
    _, answer = messages(
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", **content},
    )
    assert (answer.tool_call_id, answer.text) == ("call_1", "")


@pytest.mark.parametrize("nothing", ["", " ", "null", "{}"])
def test_a_call_without_arguments_has_none(nothing: str) -> None:
    empty = CALL | {"function": {"name": "weather", "arguments": nothing}}
    (turn,) = messages({"role": "assistant", "tool_calls": [empty]})
    assert turn.tool_calls[0].arguments == "{}"


@pytest.mark.parametrize("said", ['{"city": "Ly', "so\u2028nnig", "[1]", DEEP, HALF, '{"a": 1} {"b": 2}'])
def test_arguments_that_are_no_object_as_of_a_call_that_was_cut_are_the_text_of_one(said: str) -> None:
    cut = CALL | {"function": {"name": "weather", "arguments": said}}
    (turn,) = messages({"role": "assistant", "tool_calls": [cut]})
    assert json.loads(turn.tool_calls[0].arguments) == {"arguments": said}


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"role": "tool", "content": "x"}, "tool_call_id"),
        ({"role": "tool", "tool_call_id": "", "content": "x"}, "tool_call_id"),
        ({"role": "user", "content": "x", "tool_calls": [CALL]}, "tool_calls"),
        ({"role": "assistant", "tool_calls": [{}]}, "tool_calls"),
        (
            {
                "role": "assistant",
                "tool_calls": [CALL | {"function": {"name": "f", "arguments": "[" * (MAX_VALUES + 1)}}],
            },
            "tool_calls[0].function.arguments",
        ),
    ],
)
def test_turns_of_tools_that_are_none_are_refused_by_name(message: dict[str, object], field: str) -> None:
    error = refusal(messages=[message])
    assert (error.reason, error.field) == (Reason.REQUEST_INVALID, f"messages[0].{field}")
    assert is_public(error.field)


def test_what_is_said_of_tools_counts_for_the_upper_bound() -> None:
    plain, told = parse_chat(CHAT).generation, parse_chat(CHAT | {"tools": [WEATHER]}).generation
    assert told.prompt_tokens_upper_bound > plain.prompt_tokens_upper_bound + len(json.dumps(SCHEMA))


@pytest.mark.parametrize("is_response", [False, True])
def test_no_step_of_a_body_writes_two_schemas(is_response: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def counted(schema: dict[str, Any], name: str) -> str:
        written.append(name)
        return schema_text(schema, name)

    monkeypatch.setattr("services.edge.domain.openai.tools.request.schema_text", counted)
    functions = [{"name": f"tool_{number}", "parameters": SCHEMA} for number in range(128)]
    if is_response:
        steps: Steps[object] = response_steps(
            {"input": "Hi", "tools": [{"type": "function", **each} for each in functions]}
        )
    else:
        steps = chat_steps(CHAT | {"tools": [{"type": "function", "function": each} for each in functions]})
    before = [len(written) for _ in steps]
    assert max(after - each for each, after in itertools.pairwise([*before, len(written)])) == 1
    assert len(written) == 128
