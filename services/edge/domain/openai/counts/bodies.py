"""The bodies of requests that count a prompt, by types, and what of them is known and not served."""

from types import MappingProxyType
from typing import Annotated, Final

from msgspec import Meta, Struct

from services.edge.domain.openai.chat.body import ChatMessage
from services.edge.domain.openai.parameters import NEUTRAL, Flag, ModelName, Neutral
from services.edge.domain.openai.responses.body import (
    Reasoning,
    ResponseInput,
    ResponseTools,
    TextOptions,
    Truncation,
)
from services.edge.domain.openai.thinking import ReasoningEffort, Switch, TemplateArguments
from services.edge.domain.openai.tools.bodies import ToolBodies, ToolChoice

_ABSENT: Final = Neutral((), "absent")
_EMPTY: Final = Neutral(([], {}, "", 0, False), "absent or empty")


class TokenizeBody(Struct, frozen=True):
    """A request of vLLM's `/tokenize`: a text, or a chat as the model's template renders it."""

    model: ModelName | None = None
    prompt: Annotated[str, Meta(description="a string, and only without messages")] | None = None
    messages: (
        Annotated[
            list[Annotated[ChatMessage, Meta(description="an object with a role and a content")]],
            Meta(
                min_length=1,
                max_length=1024,
                description="a list of 1 to 1024 messages, and only without a prompt",
            ),
        ]
        | None
    ) = None
    add_special_tokens: (
        Annotated[bool, Meta(description="absent; true for a prompt, false for messages")] | None
    ) = None
    tools: ToolBodies | None = None
    reasoning_effort: ReasoningEffort | None = None
    chat_template_kwargs: TemplateArguments | None = None
    enable_thinking: Switch | None = None


class InputTokensBody(Struct, frozen=True):
    """A request of OpenAI's `responses.input_tokens.count`.

    What is called, and what the text of an answer must be, is no part of a prompt.
    """

    model: ModelName | None = None
    input: ResponseInput | None = None
    instructions: Annotated[str, Meta(description="a string")] | None = None
    tools: ResponseTools | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: Flag | None = None
    text: TextOptions | None = None
    reasoning: Reasoning | None = None
    chat_template_kwargs: TemplateArguments | None = None
    enable_thinking: Switch | None = None
    truncation: Truncation | None = None


# What a template would render, and what vLLM's answer has beside the ids.
TOKENIZE_NEUTRAL: Final = MappingProxyType(
    {
        "add_generation_prompt": NEUTRAL["add_generation_prompt"],
        "chat_template": _EMPTY,
        "continue_final_message": NEUTRAL["continue_final_message"],
        "functions": Neutral(_EMPTY.values, "absent or empty; they are tools here"),
        "media_io_kwargs": _EMPTY,
        "mm_processor_kwargs": _EMPTY,
        "return_token_strs": Neutral((False,), "absent or false"),
    }
)
# What a text has not, since no template renders it.
NEUTRAL_OF_TEXT: Final = MappingProxyType(
    dict.fromkeys(("tools", "reasoning_effort", "chat_template_kwargs", "enable_thinking"), _EMPTY)
)
# What is not in the request itself.
INPUT_TOKENS_NEUTRAL: Final = MappingProxyType(
    {
        "conversation": _ABSENT,
        "personality": _ABSENT,
        "previous_response_id": _ABSENT,
    }
)
