"""Flat functions are a chat's, and tools of OpenAI's own are named or, beside functions, left out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.responses.request import parse_response
from services.edge.domain.openai.responses.tools import LEFT_OUT, named_in_request
from services.edge.domain.tools import Tool, Tools, ToolUse
from services.kernel.errors import Reason
from tests.services.edge.domain.openai.responses.requests import REQUEST, TIME, WEATHER, refusal

NO_PARAMETERS = '{"type":"object","properties":{}}'
BOTH = (Tool("time", "", NO_PARAMETERS), Tool("weather", "Le temps", '{"type":"object"}'))


def tools_of(**asked: Any) -> Tools | None:
    return parse_response(REQUEST | asked).generation.tools


def test_functions_are_told_of_as_a_chat_does() -> None:
    assert tools_of(tools=[TIME, WEATHER]) == Tools(BOTH)
    assert tools_of(tools=[TIME, WEATHER], parallel_tool_calls=False) == Tools(BOTH, is_one_call=True)
    assert tools_of(tools=[]) is None


@pytest.mark.parametrize(
    ("choice", "use", "permitted", "is_one"),
    [
        ("auto", ToolUse.AUTO, (), False),
        ("none", ToolUse.NONE, (), False),
        ("required", ToolUse.REQUIRED, (), False),
        ({"type": "function", "name": "time"}, ToolUse.REQUIRED, ("time",), True),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "weather"}]},
            ToolUse.AUTO,
            ("weather",),
            False,
        ),
    ],
)
def test_a_choice_is_a_chats(choice: Any, use: ToolUse, permitted: tuple[str, ...], is_one: bool) -> None:
    tools = tools_of(tools=[TIME, WEATHER], tool_choice=choice)
    assert tools == Tools(BOTH, use, permitted, is_one_call=is_one)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ("any", Reason.REQUEST_INVALID),
        ({"type": "function", "name": "other"}, Reason.REQUEST_INVALID),
        ({"type": "function"}, Reason.REQUEST_INVALID),
        ({"name": "time"}, Reason.REQUEST_INVALID),
        ({"type": "allowed_tools", "mode": "auto"}, Reason.REQUEST_INVALID),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]},
            Reason.REQUEST_INVALID,
        ),
        ({"type": "web_search"}, Reason.PARAMETER_UNSUPPORTED),
        ({"type": "mcp", "server_label": "x"}, Reason.PARAMETER_UNSUPPORTED),
    ],
)
def test_a_choice_of_what_is_not_there_is_refused(choice: Any, reason: Reason) -> None:
    error = refusal(tools=[TIME], tool_choice=choice)
    assert (error.field, error.reason) == ("tool_choice", reason)


@pytest.mark.parametrize(
    "kind", [*sorted(LEFT_OUT), "file_search", "code_interpreter", "mcp", "computer", "shell"]
)
def test_a_tool_of_openais_own_is_refused_where_it_stands_alone(kind: str) -> None:
    error = refusal(tools=[{"type": kind}])
    assert (error.field, error.reason) == ("tools[0].type", Reason.PARAMETER_UNSUPPORTED)


@pytest.mark.parametrize("kind", ["file_search", "code_interpreter", "mcp", "computer_use_preview", "shell"])
def test_a_tool_that_only_openai_can_run_is_refused_beside_functions_too(kind: str) -> None:
    assert refusal(tools=[TIME, {"type": kind}]).field == "tools[1].type"


@pytest.mark.parametrize("kind", sorted(LEFT_OUT))
def test_what_agents_declare_to_everybody_is_left_out_beside_functions_and_counted(kind: str) -> None:
    asked = parse_response(REQUEST | {"tools": [{"type": kind, "name": "x", "format": {}}, TIME]})
    assert asked.generation.tools == Tools((Tool("time", "", NO_PARAMETERS),))
    assert (asked.without_effect, asked.tool_places) == (1, (1,))


def test_a_function_is_named_where_it_stands_among_all_tools() -> None:
    schema = WEATHER | {"name": "x", "parameters": {"a": "x" * 70_000}}
    error = refusal(tools=[{"type": "web_search"}, TIME, schema])
    assert error.field == "tools[2].parameters"
    assert named_in_request("tools[1].function.parameters.not", (1, 4)) == "tools[4].parameters.not"
    assert named_in_request("tools[7].function.name", (1, 4)) == "tools[7].function.name"
    assert named_in_request("reasoning_effort", ()) == "reasoning.effort"
    assert refusal(tools=[TIME, {"type": "function"}]).field == "tools[1].name"
    assert refusal(tools=[TIME, TIME]).field == "tools"


@given(st.text(), st.lists(st.integers(0, 127)))
def test_any_other_name_stays_what_it_is(field: str, places: list[int]) -> None:
    assert named_in_request(field, tuple(places)) == field
