"""The body of a chat request by types: names, ranges, defaults, and what each must be in words."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from services.edge.domain.openai.parameters import (
    MAX_LOGPROBS,
    Flag,
    ModelName,
    ServiceTier,
)
from services.edge.domain.openai.structured import Pattern, Schema, StructuredForm, Texts
from services.edge.domain.openai.thinking import ReasoningEffort, ThinkingParameters
from services.edge.domain.openai.tools.bodies import (
    SCHEMA_WORDS,
    CalledFunctionBody,
    ToolBodies,
    ToolCallBodies,
    ToolChoice,
)
from services.edge.domain.openai.tools.functions import FunctionBodies, FunctionChoice

MaxTokens = Annotated[int, Meta(ge=-1, description="a whole number from 1; -1, 0 and null set no limit")]


class ContentPart(Struct, frozen=True):
    """A part of a message's content; those that are not text are known and not served.

    `refusal` is what an earlier answer said in place of an answer; Responses' words for a text are read too.
    """

    type: Literal["text", "input_text", "output_text", "refusal", "image_url", "input_audio", "file"]
    text: str | None = None
    refusal: str | None = None


class ChatMessage(Struct, frozen=True):
    """A message; `function` is the older word for a tool's."""

    role: (
        Annotated[
            Literal["system", "developer", "user", "assistant", "tool", "function"],
            Meta(description="one of system, developer, user, assistant, tool and function"),
        ]
        | None
    ) = None
    content: (
        Annotated[
            str | Annotated[list[ContentPart], Meta(max_length=1024)],
            Meta(description="a string, or a list of up to 1024 parts of type text or refusal"),
        ]
        | None
    ) = None
    tool_calls: ToolCallBodies | None = None
    function_call: (
        Annotated[CalledFunctionBody, Meta(description="an object with a name and arguments")] | None
    ) = None
    tool_call_id: (
        Annotated[str, Meta(min_length=1, max_length=64, description="the id of a call, in a tool's message")]
        | None
    ) = None


class StreamOptions(Struct, frozen=True):
    """What a stream brings besides its text."""

    include_usage: Flag | None = None


class JsonSchemaFormat(Struct, frozen=True):
    """A schema, as `response_format` has it; its name and description change nothing."""

    name: (
        Annotated[str, Meta(min_length=1, max_length=64, description="a name of 1 to 64 characters")] | None
    ) = None
    schema: Annotated[dict[str, Any], Meta(description=SCHEMA_WORDS)] | None = None
    strict: Flag | None = None


class ResponseFormat(Struct, frozen=True):
    """What an answer must be."""

    type: Annotated[
        Literal["text", "json_object", "json_schema"],
        Meta(description="one of text, json_object and json_schema"),
    ]
    json_schema: (
        Annotated[JsonSchemaFormat, Meta(description="an object with a name and a schema")] | None
    ) = None
    # Where llama.cpp, Together and Fireworks have it, beside either type.
    schema: Annotated[dict[str, Any], Meta(description=f"{SCHEMA_WORDS}, without a json_schema")] | None = (
        None
    )


class ChatBody(ThinkingParameters, frozen=True):
    """A chat request as it is sent."""

    model: ModelName | None = None
    messages: (
        Annotated[
            list[Annotated[ChatMessage, Meta(description="an object with a role and a content")]],
            Meta(min_length=1, max_length=1024, description="a list of 1 to 1024 messages"),
        ]
        | None
    ) = None
    max_tokens: MaxTokens | None = None
    max_completion_tokens: MaxTokens | None = None
    tools: ToolBodies | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: Flag | None = None
    functions: FunctionBodies | None = None
    function_call: FunctionChoice | None = None
    structured_outputs: StructuredForm | None = None
    guided_json: Schema | None = None
    guided_choice: Texts | None = None
    guided_regex: Pattern | None = None
    response_format: Annotated[ResponseFormat, Meta(description="an object with a type")] | None = None
    reasoning_effort: ReasoningEffort | None = None
    service_tier: ServiceTier | None = None
    logprobs: Flag | None = None
    top_logprobs: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=20,
                description="a whole number from 0 to 20, only where logprobs is true, and with n choices so "
                f"low that n times one more is {MAX_LOGPROBS} at most",
            ),
        ]
        | None
    ) = None
    stream: Flag | None = None
    stream_options: (
        Annotated[StreamOptions, Meta(description="an object, and only where stream is true")] | None
    ) = None
