"""Fields that are no part of a body's type and are understood: with another value they are refused."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from services.edge.domain.openai.chat_body import ChatBody, ChatMessage, StreamOptions
from services.edge.domain.openai.completion_body import CompletionBody
from services.edge.domain.openai.completion_parameters import COMPLETION_NEUTRAL
from services.edge.domain.openai.parameters import (
    NEUTRAL,
    NEUTRAL_IN_MESSAGE,
    NEUTRAL_IN_STREAM_OPTIONS,
    Neutral,
)

UNDERSTOOD: Final = MappingProxyType[type[Struct], Mapping[str, Neutral]](
    {
        ChatBody: NEUTRAL,
        CompletionBody: COMPLETION_NEUTRAL,
        ChatMessage: NEUTRAL_IN_MESSAGE,
        StreamOptions: NEUTRAL_IN_STREAM_OPTIONS,
    }
)
