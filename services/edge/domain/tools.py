"""Tools that a chat tells of, and calls of them in its earlier turns."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

# Templates write what is said of tools as JSON, with white space and escapes of their own.
_TOKENS_PER_BYTE: Final = 3
_TOKENS_AROUND: Final = 64


class ToolUse(Enum):
    """Whether tools are called."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function by its name; its parameters are a JSON schema, as JSON, or empty for any object."""

    name: str
    description: str = ""
    parameters_schema: str = ""


@dataclass(frozen=True, slots=True)
class Tools:
    """What a model may call; `permitted` are the names of those, empty for all."""

    tools: tuple[Tool, ...]
    use: ToolUse = ToolUse.AUTO
    permitted: tuple[str, ...] = ()
    is_one_call: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call in an earlier turn of the model; its arguments are JSON."""

    call_id: str
    name: str
    arguments: str


def tool_tokens_upper_bound(tools: Tools | None, calls: tuple[ToolCall, ...]) -> int:
    """Returns the most tokens of what is said of tools."""
    said = [(tool.name, tool.description, tool.parameters_schema) for tool in tools.tools] if tools else []
    said += [(call.call_id, call.name, call.arguments) for call in calls]
    text_bytes = sum(len(text.encode()) for texts in said for text in texts)
    return _TOKENS_PER_BYTE * text_bytes + _TOKENS_AROUND * len(said)
