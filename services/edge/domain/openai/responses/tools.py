"""Tools of a request of Responses, whose functions are flat, as a chat has them."""

import re
from collections.abc import Sequence
from typing import Any, Final

from services.edge.domain.openai.refusals import invalid, unsupported
from services.edge.domain.openai.responses.body import ResponseTool
from services.edge.domain.openai.tools.bodies import FunctionBody, ToolBody
from services.edge.domain.openai.tools.request import tool_steps
from services.edge.domain.tools import Tools
from services.kernel.errors import ComptoirError
from services.kernel.steps import Steps

# Codex declares these to every server beside functions of its own, and works without them.
LEFT_OUT: Final = frozenset(
    {"custom", "image_generation", "local_shell", "namespace", "tool_search", "web_search"}
)
# A function's place among functions alone, as a chat and a replica name it.
_FUNCTION: Final = re.compile(r"tools\[([0-9]{1,4})\]\.function\.")


def functions_of(bodies: Sequence[ResponseTool] | None) -> tuple[tuple[int, ...], list[ToolBody]]:
    """Returns the functions and their places among the tools; refuses others, but for some beside functions.

    A request that has nothing but a tool of OpenAI's own cannot do without it.
    """
    bodies = bodies or ()
    has_function = any(body.type == "function" for body in bodies)
    places, functions = [], []
    for index, body in enumerate(bodies):
        if body.type == "function":
            places.append(index)
            functions.append(_function(body, f"tools[{index}]"))
        elif not (has_function and body.type in LEFT_OUT):
            unsupported(f"tools[{index}].type")
    return tuple(places), functions


def function_steps(
    functions: Sequence[ToolBody],
    places: Sequence[int],
    choice: str | dict[str, Any] | None,
    *,
    is_parallel: bool = True,
) -> Steps[Tools | None]:
    """Returns the functions as tools of a chat; raises as `tool_steps`, by their `places` in the request."""
    try:
        return (yield from tool_steps(functions, chat_choice(choice), is_parallel=is_parallel))
    except ComptoirError as error:
        error.field = named_in_request(error.field, places)
        raise


def chat_choice(choice: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
    """Returns the choice of tools as a chat spells it."""
    if choice is None or isinstance(choice, str):
        return choice
    if choice.get("type") == "function":
        return {"type": "function", "function": choice}
    if choice.get("type") != "allowed_tools":
        # A tool of OpenAI's own, by its kind.
        unsupported("tool_choice") if isinstance(choice.get("type"), str) else invalid("tool_choice")
    named = choice.get("tools")
    if not isinstance(named, list):
        invalid("tool_choice")
    tools = [{"type": "function", "function": each} for each in named]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.get("mode"), "tools": tools}}


def named_in_request(field: str, places: Sequence[int]) -> str:
    """Returns a name that a chat or a replica has as the request has it.

    Of a function, by its place in `places`.
    """
    if field == "reasoning_effort":
        return "reasoning.effort"
    found = _FUNCTION.match(field)
    if found is None or int(found[1]) >= len(places):
        return field
    return f"tools[{places[int(found[1])]}].{field[found.end() :]}"


def _function(body: ResponseTool, path: str) -> ToolBody:
    name = body.name or invalid(f"{path}.name")
    return ToolBody("function", FunctionBody(name, body.description, body.parameters, body.strict))
