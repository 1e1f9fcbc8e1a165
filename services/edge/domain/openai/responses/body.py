"""The body of a request of OpenAI's Responses by types: names, ranges, and what each must be in words."""

from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from services.edge.domain.openai.chat.body import MaxTokens
from services.edge.domain.openai.parameters import (
    Flag,
    ModelName,
    ServiceTier,
)
from services.edge.domain.openai.thinking import ReasoningEffort, ThinkingParameters
from services.edge.domain.openai.tools.bodies import MAX_TOOLS, SCHEMA_WORDS, ToolChoice

# With the instructions they are as many messages as a replica takes.
MAX_ITEMS: Final = 1023
SERVED_ITEMS: Final = "message, function_call, function_call_output or reasoning"

CallId = Annotated[
    str, Meta(min_length=1, max_length=64, description="the id of a call, of 1 to 64 characters")
]
_Text = Annotated[str, Meta(max_length=16_384, description="a text of up to 16384 characters")]


class ResponsePart(Struct, frozen=True):
    """A part of an item's content; those that are not text are known and not served."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None


class ResponseItem(Struct, frozen=True):
    """An item of the input: a message, a call of a function, what it brought, or an earlier train of thought.

    Which of the fields it has is its type's; the others have no effect.
    """

    type: (
        Annotated[
            str,
            Meta(
                description=f"{SERVED_ITEMS}, or absent for a message: nothing is stored here that an item "
                "could refer to, so send it whole, as SDKs do with store false"
            ),
        ]
        | None
    ) = None
    id: Annotated[str, Meta(description="a text, which only a reference needs")] | None = None
    role: (
        Annotated[
            Literal["system", "developer", "user", "assistant"],
            Meta(description="one of system, developer, user and assistant"),
        ]
        | None
    ) = None
    content: (
        Annotated[
            str | Annotated[list[ResponsePart], Meta(max_length=1024)],
            Meta(
                description="a string, or a list of up to 1024 parts of type input_text, output_text or "
                "refusal"
            ),
        ]
        | None
    ) = None
    call_id: CallId | None = None
    name: (
        Annotated[
            str,
            Meta(
                pattern="^[a-zA-Z0-9_-]{1,64}$",
                description="a name of 1 to 64 letters, digits, underscores and dashes",
            ),
        ]
        | None
    ) = None
    arguments: Annotated[str, Meta(description="a JSON object as a string")] | None = None
    output: (
        Annotated[
            str | Annotated[list[ResponsePart], Meta(max_length=1024)],
            Meta(description="a string, or a list of up to 1024 parts of type input_text"),
        ]
        | None
    ) = None


class ResponseTool(Struct, frozen=True):
    """A tool; functions alone are served. `strict` changes nothing, since all calls fit their schema."""

    type: Annotated[str, Meta(description="function: none of OpenAI's own tools runs here")]
    name: (
        Annotated[
            str,
            Meta(
                pattern="^[a-zA-Z0-9_-]{1,64}$",
                description="a name of 1 to 64 letters, digits, underscores and dashes",
            ),
        ]
        | None
    ) = None
    description: _Text | None = None
    parameters: Annotated[dict[str, Any], Meta(description=SCHEMA_WORDS)] | None = None
    strict: Flag | None = None


class TextFormat(Struct, frozen=True):
    """What the text of an answer must be; its name and description change nothing."""

    type: Annotated[
        Literal["text", "json_object", "json_schema"],
        Meta(description="one of text, json_object and json_schema"),
    ]
    name: (
        Annotated[str, Meta(min_length=1, max_length=64, description="a name of 1 to 64 characters")] | None
    ) = None
    schema: Annotated[dict[str, Any], Meta(description=SCHEMA_WORDS)] | None = None
    strict: Flag | None = None
    description: _Text | None = None


class TextConfig(Struct, frozen=True):
    """How the text of an answer is written."""

    format: Annotated[TextFormat, Meta(description="an object with a type")] | None = None


class ReasoningConfig(Struct, frozen=True):
    """How much the model reasons, and whether what it thinks is a summary, as many clients read it."""

    effort: ReasoningEffort | None = None
    summary: (
        Annotated[
            Literal["auto", "concise", "detailed", "none"],
            Meta(description="one of auto, concise and detailed, which are the same here, or none"),
        ]
        | None
    ) = None


Reasoning: TypeAlias = Annotated[ReasoningConfig, Meta(description="an object with an effort and a summary")]
TextOptions: TypeAlias = Annotated[TextConfig, Meta(description="an object with a format")]
ResponseTools: TypeAlias = Annotated[
    list[ResponseTool],
    Meta(max_length=MAX_TOOLS, description=f"a list of up to {MAX_TOOLS} functions of different names"),
]
Truncation: TypeAlias = Annotated[
    Literal["auto", "disabled"],
    Meta(description="auto or disabled; neither cuts a prompt that is too long"),
]


ResponseInput: TypeAlias = Annotated[
    str | Annotated[list[ResponseItem], Meta(min_length=1, max_length=MAX_ITEMS)],
    Meta(description=f"a string, or a list of 1 to {MAX_ITEMS} items of type {SERVED_ITEMS}"),
]


class ResponsesBody(ThinkingParameters, frozen=True):
    """A request of Responses as it is sent."""

    model: ModelName | None = None
    input: ResponseInput | None = None
    instructions: Annotated[str, Meta(description="a string")] | None = None
    max_output_tokens: MaxTokens | None = None
    reasoning: Reasoning | None = None
    service_tier: ServiceTier | None = None
    text: TextOptions | None = None
    tools: ResponseTools | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: Flag | None = None
    include: (
        Annotated[
            list[str],
            Meta(
                max_length=64,
                description="a list of up to 64 names, of which message.output_text.logprobs has an effect",
            ),
        ]
        | None
    ) = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20, description="a whole number from 0 to 20")] | None = None
    truncation: Truncation | None = None
    stream: Flag | None = None
    stream_options: Annotated[dict[str, Any], Meta(description="an object")] | None = None
