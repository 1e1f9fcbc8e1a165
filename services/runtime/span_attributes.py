"""What spans may say: each attribute with the values that it can have; anything else leaves no process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from services.kernel.reasons import Reason

Value: TypeAlias = bool | int | float | str | Sequence[str]


@dataclass(frozen=True, slots=True)
class SpanAttribute:
    """One attribute: a number, or one of some words, or the name of a model in the catalog."""

    name: str
    meaning: str
    words: tuple[str, ...] = ()
    is_model: bool = False

    def permits(self, value: Value, models: frozenset[str]) -> bool:
        """Returns whether it can have that value."""
        if isinstance(value, bool | int | float):
            return not (self.words or self.is_model)
        known = models if self.is_model else self.words
        return value in known if isinstance(value, str) else all(one in known for one in value)


_REASONS: Final = tuple(reason.name for reason in Reason)
_OUTCOMES: Final = (
    *("stop", "length", "tool_calls", "client_cancelled", "deadline", "shed", "preempted"),
    *("engine_failed", "refused"),
)
# The edge's; `services/edge/domain/openai/paths.py` is held against them by a test.
_ROUTES: Final = (
    *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/v1/responses"),
    *("/v1/responses/input_tokens", "/v1/tokenize", "other"),
)

_ALL: Final = (
    SpanAttribute("http.route", "the path that was asked for", _ROUTES),
    SpanAttribute("http.response.status_code", "the status of the answer"),
    SpanAttribute("gen_ai.operation.name", "what was done", ("chat", "embeddings")),
    SpanAttribute("gen_ai.provider.name", "whose it is", ("comptoir",)),
    SpanAttribute("gen_ai.request.model", "`name` of the model in the catalog", is_model=True),
    SpanAttribute("gen_ai.usage.input_tokens", "input tokens, cached ones included"),
    SpanAttribute("gen_ai.usage.cache_read.input_tokens", "those of them that the prefix cache held"),
    SpanAttribute("gen_ai.usage.output_tokens", "output tokens"),
    SpanAttribute("gen_ai.response.finish_reasons", "how the generation ended", _OUTCOMES),
    SpanAttribute("error.type", "the reason of a request that failed or was refused", _REASONS),
    SpanAttribute("comptoir.region", "number of the region in the catalog"),
    SpanAttribute("comptoir.replica", "number of the replica"),
    SpanAttribute("comptoir.priority", "number of the priority class"),
    SpanAttribute("comptoir.attempt", "which ticket of the admission it was, from 1"),
    SpanAttribute("comptoir.tickets", "tickets that were given, or used"),
    SpanAttribute("comptoir.reserved_tokens", "tokens of the quota that were reserved"),
    SpanAttribute("comptoir.predicted_kv_blocks", "KV blocks that the router expected; 0 where unknown"),
    SpanAttribute("comptoir.actual_kv_blocks", "KV blocks that input and output filled; 0 where unknown"),
    SpanAttribute("comptoir.is_streamed", "whether the answer came as a stream"),
    SpanAttribute("comptoir.transfer_record", "number of the transfer record; 0 within the EU"),
)
ATTRIBUTES: Final[Mapping[str, SpanAttribute]] = {attribute.name: attribute for attribute in _ALL}
