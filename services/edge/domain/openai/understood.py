"""What is known of bodies beyond their types: fields that are understood, and those that are required."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from services.edge.domain.openai.chat.body import ChatBody, ChatMessage, StreamOptions
from services.edge.domain.openai.completions.body import CompletionBody
from services.edge.domain.openai.completions.parameters import COMPLETION_NEUTRAL
from services.edge.domain.openai.counts.bodies import (
    INPUT_TOKENS_NEUTRAL,
    TOKENIZE_NEUTRAL,
    InputTokensBody,
    TokenizeBody,
)
from services.edge.domain.openai.embeddings.body import EMBEDDING_NEUTRAL, EmbeddingBody
from services.edge.domain.openai.parameters import (
    NEUTRAL,
    NEUTRAL_IN_MESSAGE,
    NEUTRAL_IN_STREAM_OPTIONS,
    Neutral,
)
from services.edge.domain.openai.responses.body import ReasoningConfig, ResponsesBody
from services.edge.domain.openai.responses.parameters import (
    NEUTRAL_IN_REASONING,
    RESPONSES_NEUTRAL,
)
from services.edge.domain.openai.structured import NEUTRAL_IN_STRUCTURED_OUTPUTS, StructuredOutputs

# No part of the type: with a value that is not neutral they are refused.
UNDERSTOOD: Final = MappingProxyType[type[Struct], Mapping[str, Neutral]](
    {
        ChatBody: NEUTRAL,
        CompletionBody: COMPLETION_NEUTRAL,
        TokenizeBody: TOKENIZE_NEUTRAL,
        InputTokensBody: INPUT_TOKENS_NEUTRAL,
        ChatMessage: NEUTRAL_IN_MESSAGE,
        StreamOptions: NEUTRAL_IN_STREAM_OPTIONS,
        StructuredOutputs: NEUTRAL_IN_STRUCTURED_OUTPUTS,
        EmbeddingBody: EMBEDDING_NEUTRAL,
        ResponsesBody: RESPONSES_NEUTRAL,
        ReasoningConfig: NEUTRAL_IN_REASONING,
    }
)
# Optional in the types, so that a refusal can name them.
REQUIRED: Final = MappingProxyType[type[Struct], tuple[str, ...]](
    {
        ChatBody: ("messages",),
        ChatMessage: ("role",),
        CompletionBody: ("prompt",),
        InputTokensBody: ("input",),
        EmbeddingBody: ("input",),
        ResponsesBody: ("input",),
    }
)
