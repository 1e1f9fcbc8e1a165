"""Tools of a chat request become the tools that a replica is told of, or a refusal that names a parameter."""

import json
from collections.abc import Sequence
from typing import Any, Final

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

from services.edge.domain.body_faults import BodyError
from services.edge.domain.openai.answers import quoted
from services.edge.domain.openai.refusals import invalid
from services.edge.domain.openai.tools.bodies import MAX_SCHEMA_BYTES, ToolBody, ToolCallBody
from services.edge.domain.structure import check_count, outside_steps, outside_strings
from services.edge.domain.tools import Tool, ToolCall, Tools, ToolUse
from services.kernel.steps import Steps

_USES: Final = {"none": ToolUse.NONE, "auto": ToolUse.AUTO, "required": ToolUse.REQUIRED}
# What says nothing of its parameters takes none; a replica would let any object be its arguments.
_NO_PARAMETERS: Final = {"type": "object", "properties": {}}
# Of arguments, of which a thousand shorter ones are read in few steps.
_LONG_BYTES: Final = 16 * 1024
# Checks what is written, and makes no value of it: a template reads it.
_OBJECT: Final = Decoder(dict[str, Raw])
_NOTHING: Final = ("", "null")


def tool_steps(
    bodies: Sequence[ToolBody] | None, choice: str | dict[str, Any] | None, *, is_parallel: bool
) -> Steps[Tools | None]:
    """Returns the tools; None without any, where a choice may name none."""
    read = []
    for index, body in enumerate(bodies or ()):
        # A schema of the longest kind takes as long to write as a step may.
        yield
        read.append(_tool(body, f"tools[{index}]"))
    tools = tuple(read)
    names = {tool.name for tool in tools}
    if len(names) < len(tools):
        invalid("tools")
    use, permitted, is_one = _choice(choice)
    if not set(permitted) <= names or (use is ToolUse.REQUIRED and not tools):
        invalid("tool_choice")
    return Tools(tools, use, permitted, is_one_call=is_one or not is_parallel) if tools else None


def call_steps(call_id: str, name: str, arguments: str, path: str) -> Steps[ToolCall]:
    """Returns one call, whose arguments are a JSON object as templates of all models read them.

    What is none, such as that of a call which `max_tokens` cut, becomes the one text of an object: agents
    send it back with what came of it, for the model to mend. By `path` are refused arguments that have more
    values than a body may have: a replica's template goes through them one by one.
    """
    arguments = arguments.strip()
    if arguments in _NOTHING:
        return ToolCall(call_id, name, "{}")
    try:
        is_object = yield from _is_object_steps(arguments.encode())
    except BodyError:
        invalid(path)
    if not is_object:
        if len(arguments) > _LONG_BYTES:
            yield
        arguments = f'{{"arguments":{quoted(arguments)}}}'
    return ToolCall(call_id, name, arguments)


def calls_steps(bodies: Sequence[ToolCallBody] | None, path: str) -> Steps[tuple[ToolCall, ...]]:
    """Returns the calls of an earlier turn."""
    calls = []
    for index, body in enumerate(bodies or ()):
        said = body.function
        field = f"{path}.tool_calls[{index}].function.arguments"
        calls.append((yield from call_steps(body.id, said.name, said.arguments, field)))
    return tuple(calls)


def schema_text(schema: dict[str, Any], name: str) -> str:
    """Returns a schema as JSON; refuses one that is too large, by `name`."""
    text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return invalid(name) if len(text.encode()) > MAX_SCHEMA_BYTES else text


def _tool(body: ToolBody, path: str) -> Tool:
    function = body.function
    schema = function.parameters or _NO_PARAMETERS
    text = schema_text(schema, f"{path}.function.parameters")
    return Tool(function.name, function.description or "", text)


def _is_object_steps(arguments: bytes) -> Steps[bool]:
    is_long = len(arguments) > _LONG_BYTES
    try:
        outside = (yield from outside_steps(arguments)) if is_long else outside_strings(arguments)
        check_count(outside)
        if is_long:
            yield
        _OBJECT.decode(arguments)
    except (DecodeError, RecursionError):
        return False
    return True


def _choice(choice: str | dict[str, Any] | None) -> tuple[ToolUse, tuple[str, ...], bool]:
    """Returns how tools are used, which of them, and whether only one is called."""
    if choice is None or isinstance(choice, str):
        return _USES.get(choice or "auto") or invalid("tool_choice"), (), False
    if choice.get("type") == "function":
        return ToolUse.REQUIRED, (_name_of(choice),), True
    allowed = choice.get("allowed_tools")
    if choice.get("type") != "allowed_tools" or not isinstance(allowed, dict):
        invalid("tool_choice")
    named, mode = allowed.get("tools"), allowed.get("mode")
    if mode not in ("auto", "required") or not isinstance(named, list) or not named:
        invalid("tool_choice")
    return _USES[mode], tuple(dict.fromkeys(map(_name_of, named))), False


def _name_of(choice: object) -> str:
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else invalid("tool_choice")
