"""Tools and calls as a chat request has them."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

MAX_TOOLS: Final = 128
MAX_SCHEMA_BYTES: Final = 65_536
SCHEMA_WORDS: Final = f"a JSON schema of up to {MAX_SCHEMA_BYTES} bytes that a value can fit"

ToolName = Annotated[
    str,
    Meta(
        pattern="^[a-zA-Z0-9_-]{1,64}$",
        description="a name of 1 to 64 letters, digits, underscores and dashes",
    ),
]


class FunctionBody(Struct, frozen=True):
    """A function that the model may call; `strict` changes nothing, since all calls fit their schema."""

    name: ToolName
    description: (
        Annotated[str, Meta(max_length=16_384, description="a text of up to 16384 characters")] | None
    ) = None
    parameters: Annotated[dict[str, Any], Meta(description=SCHEMA_WORDS)] | None = None
    strict: Annotated[bool, Meta(description="true or false")] | None = None


class ToolBody(Struct, frozen=True):
    """A tool; functions alone are served."""

    type: Annotated[Literal["function"], Meta(description="function")]
    function: Annotated[FunctionBody, Meta(description="an object with a name")]


class CalledFunctionBody(Struct, frozen=True):
    """What was called in an earlier turn."""

    name: ToolName
    arguments: Annotated[str, Meta(description="a JSON object as a string")] = ""


class ToolCallBody(Struct, frozen=True):
    """A call in an earlier turn."""

    id: Annotated[str, Meta(min_length=1, max_length=64, description="a text of 1 to 64 characters")]
    function: Annotated[CalledFunctionBody, Meta(description="an object with a name and arguments")]
    type: Annotated[Literal["function"], Meta(description="function")] = "function"


ToolBodies = Annotated[
    list[ToolBody],
    Meta(max_length=MAX_TOOLS, description=f"a list of up to {MAX_TOOLS} functions of different names"),
]
ToolCallBodies = Annotated[
    list[ToolCallBody], Meta(max_length=MAX_TOOLS, description=f"a list of up to {MAX_TOOLS} calls")
]
ToolChoice = Annotated[
    str | dict[str, Any],
    Meta(description="one of none, auto and required, or an object that names functions of tools"),
]
