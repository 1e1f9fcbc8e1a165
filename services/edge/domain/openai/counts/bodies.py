"""The bodies of requests that count a prompt, by types, and what of them is known and not served."""

from types import MappingProxyType
from typing import Annotated, Final

from msgspec import Meta, Struct

from services.edge.domain.openai.chat.body import ChatMessage
from services.edge.domain.openai.parameters import NEUTRAL, Neutral
from services.edge.domain.openai.responses.body import MAX_ITEMS, SERVED_ITEMS, ResponseItem

_ModelName = Annotated[str, Meta(max_length=256, description="the name of a model, of 1 to 256 characters")]
_ABSENT: Final = Neutral((), "absent")
_EMPTY: Final = Neutral(([], {}, "", 0, False), "absent or empty")


class TokenizeBody(Struct, frozen=True):
    """A request of vLLM's `/tokenize`: a text, or a chat as the model's template renders it."""

    model: _ModelName | None = None
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


class InputTokensBody(Struct, frozen=True):
    """A request of OpenAI's `responses.input_tokens.count`."""

    model: _ModelName | None = None
    input: (
        Annotated[
            str | Annotated[list[ResponseItem], Meta(min_length=1, max_length=MAX_ITEMS)],
            Meta(description=f"a string, or a list of 1 to {MAX_ITEMS} items of type {SERVED_ITEMS}"),
        ]
        | None
    ) = None
    instructions: Annotated[str, Meta(description="a string")] | None = None


# What a template would render, and what vLLM's answer has beside the ids.
TOKENIZE_NEUTRAL: Final = MappingProxyType(
    {
        "add_generation_prompt": NEUTRAL["add_generation_prompt"],
        "chat_template": _EMPTY,
        "chat_template_kwargs": _EMPTY,
        "continue_final_message": NEUTRAL["continue_final_message"],
        "media_io_kwargs": _EMPTY,
        "mm_processor_kwargs": _EMPTY,
        "return_token_strs": Neutral((False,), "absent or false"),
        "tools": _EMPTY,
    }
)
# What is not in the request itself, or would be part of its prompt.
INPUT_TOKENS_NEUTRAL: Final = MappingProxyType(
    {
        "conversation": _ABSENT,
        "personality": _ABSENT,
        "previous_response_id": _ABSENT,
        "reasoning": _EMPTY,
        "text": Neutral(({}, {"format": {"type": "text"}}), 'absent or {"format": {"type": "text"}}'),
        "tool_choice": Neutral(("none", "auto"), "absent, none or auto"),
        "tools": _EMPTY,
        "truncation": Neutral(("disabled",), "absent or disabled"),
    }
)
