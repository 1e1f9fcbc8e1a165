"""What the pages say of values and fields within parameters is what becomes of them."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.openai.chat.request import parse_chat
from services.edge.domain.openai.ignored_fields import count_ignored
from services.edge.domain.openai.responses.body import ResponsesBody
from services.edge.domain.openai.responses.request import parse_response
from services.edge.domain.openai.responses.tools import LEFT_OUT
from services.edge.domain.openai.within_parameters import (
    IGNORED,
    REFUSED,
    SERVED_VALUES,
    UNSERVED_VALUES,
    WHY_UNSERVED_WITHIN,
    value_unserved,
)
from services.edge.domain.timeline import Endpoint
from services.kernel.errors import ComptoirError
from tests.services.edge.domain.openai.chat.chats import CHAT, USER
from tests.services.edge.domain.openai.responses.requests import REQUEST

CALL: Final = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION: Final = {"type": "function", "name": "f", "parameters": {"type": "object"}}
ALLOWED: Final = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
ITEM: Final = {"call_id": "c1", "name": "f", "role": "user", "arguments": "{}", "content": "x", "output": "x"}
Body = dict[str, Any]


def chat_tool(kind: str) -> Body:
    return {"type": kind, "function": {"name": "f"}, "custom": {"name": "f"}}


def chosen(kind: str) -> Body:
    return {"allowed_tools": {"mode": "auto", "tools": [chat_tool("function")]}, **chat_tool(kind)}


# Bodies that are served but for the value, by the place that it has.
IN_CHATS: Final[Mapping[str, Callable[[str], Body]]] = {
    "messages[].content[].type": lambda kind: {
        "messages": [{"role": "user", "content": [{"type": kind, "text": "x", "refusal": "x"}]}]
    },
    "messages[].tool_calls[].type": lambda kind: {
        "messages": [USER, {"role": "assistant", "tool_calls": [{**CALL, "type": kind}]}]
    },
    "tool_choice": lambda choice: {"tools": [chat_tool("function")], "tool_choice": choice},
    "tool_choice.allowed_tools.mode": lambda mode: {
        "tools": [chat_tool("function")],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": mode, "tools": [chat_tool("function")]},
        },
    },
    "tool_choice.type": lambda kind: {"tools": [chat_tool("function")], "tool_choice": chosen(kind)},
    "tools[].type": lambda kind: {"tools": [chat_tool(kind)]},
}
IN_RESPONSES: Final[Mapping[str, Callable[[str], Body]]] = {
    "include[]": lambda name: {"include": [name]},
    "input[].content[].type": lambda kind: {
        "input": [{"role": "user", "content": [{"type": kind, "text": "x", "refusal": "x"}]}]
    },
    "input[].output[].type": lambda kind: {
        "input": [{**ITEM, "type": "function_call_output", "output": [{"type": kind, "text": "x"}]}]
    },
    "input[].type": lambda kind: {"input": [{"role": "user", "content": "x"}, {**ITEM, "type": kind}]},
    "tool_choice": lambda choice: {"tools": [FUNCTION], "tool_choice": choice},
    "tool_choice.mode": lambda mode: {"tools": [FUNCTION], "tool_choice": {**ALLOWED, "mode": mode}},
    "tool_choice.type": lambda kind: {
        "tools": [FUNCTION],
        "tool_choice": {**ALLOWED, "name": "f", "type": kind},
    },
    "tools[].type": lambda kind: {"tools": [{**FUNCTION, "type": kind}]},
}


def is_served(place: str, value: str, endpoint: Endpoint) -> bool:
    """Whether a request with the value is no refusal."""
    try:
        if endpoint is Endpoint.CHAT_COMPLETIONS:
            parse_chat(CHAT | IN_CHATS[place](value))
        else:
            parse_response(REQUEST | IN_RESPONSES[place](value))
    except ComptoirError:
        return False
    return True


SERVED: Final = [
    (place, value, endpoint)
    for endpoint, places in ((Endpoint.CHAT_COMPLETIONS, IN_CHATS), (Endpoint.RESPONSES, IN_RESPONSES))
    for place in places
    for value in sorted(SERVED_VALUES.get(place, ()))
]
UNSERVED: Final = [
    (place, value, endpoint)
    for endpoint, places in ((Endpoint.CHAT_COMPLETIONS, IN_CHATS), (Endpoint.RESPONSES, IN_RESPONSES))
    for place in places
    for value in sorted(UNSERVED_VALUES.get(place, ()))
]


@pytest.mark.parametrize(("place", "value", "endpoint"), SERVED)
def test_a_value_that_is_called_served_is_served(place: str, value: str, endpoint: Endpoint) -> None:
    assert is_served(place, value, endpoint)


@pytest.mark.parametrize(("place", "value", "endpoint"), UNSERVED)
def test_a_value_that_is_called_refused_is_refused_and_no_other(
    place: str, value: str, endpoint: Endpoint
) -> None:
    said = value_unserved(place, value, endpoint)
    assert said is not None
    assert is_served(place, value, endpoint) == (said[0] == IGNORED)


@pytest.mark.parametrize("kind", sorted(UNSERVED_VALUES["tools[].type"]))
def test_a_tool_that_is_called_left_out_beside_functions_is_and_no_other(kind: str) -> None:
    asked = REQUEST | {"tools": [FUNCTION, {"type": kind, "name": "g"}]}
    said = value_unserved("tools[].type", kind, Endpoint.RESPONSES)
    assert said is not None
    if said[0] == REFUSED:
        with pytest.raises(ComptoirError):
            parse_response(asked)
    else:
        assert kind in LEFT_OUT
        assert parse_response(asked).without_effect == 1


def test_every_place_is_tried() -> None:
    assert set(SERVED_VALUES) | set(UNSERVED_VALUES) == set(IN_CHATS) | set(IN_RESPONSES)


@pytest.mark.parametrize("path", [path for path in WHY_UNSERVED_WITHIN if path.count("[]") <= 1])
def test_a_field_without_effect_counts_and_one_that_is_refused_is_named(path: str) -> None:
    body, is_chat = body_with(path)
    try:
        parse_chat(body) if is_chat else parse_response(body)
    except ComptoirError as error:
        assert error.field.replace("[0]", "[]") == path  # noqa: PT017
    else:
        assert count_ignored(body, (ChatBody if is_chat else ResponsesBody,)) == 1


def body_with(path: str) -> tuple[Body, bool]:
    """A body with something in one place, and whether it is of a chat."""
    top, _, rest = path.partition(".")
    name = rest.rpartition(".")[2]
    if top == "input[]":
        return REQUEST | {"input": [{"role": "user", "content": "x", name: {"a": 1}}]}, False
    if top == "tools[]":
        return REQUEST | {"tools": [{**FUNCTION, name: {"a": 1}}]}, False
    if top in ("reasoning", "text"):
        return REQUEST | {top: {name: "most"}}, False
    if top == "messages[]":
        return CHAT | {"messages": [{"role": "assistant", "content": "x", name: {"a": 1}}]}, True
    if top == "response_format":
        schema = {"name": "s", "schema": {"type": "object"}, name: "words"}
        return CHAT | {"response_format": {"type": "json_schema", "json_schema": schema}}, True
    return CHAT | {"stream": True, "stream_options": {name: False}}, True
