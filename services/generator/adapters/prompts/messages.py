"""Turns and tools in OpenAI's form, which chat templates read."""

import json
from typing import Any

from services.generator.domain.prompt import ChatTurn
from services.generator.domain.tools import Tool


def message_of(turn: ChatTurn) -> dict[str, Any]:
    """Returns a turn as a message."""
    message: dict[str, Any] = {"role": turn.role.value, "content": turn.text}
    if turn.parts:
        message["content"] = [{"type": "text", "text": text} for text in turn.parts]
    if turn.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in turn.tool_calls
        ]
    if turn.tool_call_id:
        message["tool_call_id"] = turn.tool_call_id
    return message


def definition_of(tool: Tool) -> dict[str, Any]:
    """Returns a tool as it is told of."""
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters_schema:
        function["parameters"] = json.loads(tool.parameters_schema)
    return {"type": "function", "function": function}
