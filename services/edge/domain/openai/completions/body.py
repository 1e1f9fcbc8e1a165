"""The body of a completion request by types: names, ranges, defaults, and what each must be in words."""

from typing import Annotated, Final

from msgspec import Meta

from services.edge.domain.openai.chat.body import StreamOptions
from services.edge.domain.openai.parameters import (
    MAX_CHOICES,
    MAX_LOGPROBS,
    Flag,
    ModelName,
    SamplingParameters,
    ServiceTier,
    TokenId,
)
from services.edge.domain.openai.structured import Pattern, Schema, StructuredForm, Texts

# LangChain puts 20 into a request.
MAX_PROMPTS: Final = 32


class CompletionBody(SamplingParameters, frozen=True):
    """A completion request as it is sent."""

    model: ModelName | None = None
    prompt: (
        Annotated[
            str | list[str | TokenId | list[TokenId]],
            Meta(
                description="a string, a list of token ids of the model, or a list of up to "
                f"{MAX_PROMPTS} of either, with n choices {MAX_CHOICES} in all,"
                " and not more than the key's requests per minute and in flight"
            ),
        ]
        | None
    ) = None
    max_tokens: (
        Annotated[int, Meta(ge=-1, description="a whole number from 1; -1 sets no limit, and null is 16")]
        | None
    ) = None
    logprobs: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=5,
                description="a whole number from 0 to 5, and with several choices so low that their number "
                f"times one more is {MAX_LOGPROBS} at most",
            ),
        ]
        | None
    ) = None
    echo: Annotated[bool, Meta(description="true or false, and not true beside logprobs")] | None = None
    best_of: Annotated[int, Meta(description="absent, 1 or as many as n")] | None = None
    structured_outputs: StructuredForm | None = None
    guided_json: Schema | None = None
    guided_choice: Texts | None = None
    guided_regex: Pattern | None = None
    service_tier: ServiceTier | None = None
    stream: Flag | None = None
    stream_options: (
        Annotated[StreamOptions, Meta(description="an object, and only where stream is true")] | None
    ) = None
