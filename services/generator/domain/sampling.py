"""How tokens are chosen, and how many at most."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.kernel.errors import ComptoirError, Numbers, Reason


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters under the schema's names, which are vLLM's, with the schema's defaults.

    The schema has bounded each of them. `wire` and vLLM's adapter go through these fields by name, so a
    parameter that is added here and in the schema reaches the engine.
    """

    max_output_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    min_p: float = 0.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    min_tokens: int = 0
    ignore_eos: bool = False
    stop_token_ids: tuple[int, ...] = ()
    n: int = 1
    logprobs: int | None = None
    thinking_token_budget: int | None = None

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is the only one to choose from."""
        return self.temperature == 0 or self.top_k == 1 or self.min_p == 1


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What a ticket permits and a model holds, in tokens."""

    permitted_input_tokens: int
    permitted_output_tokens: int
    permitted_choices: int
    context_tokens: int
    # The schema's name of what is too long where something is.
    prompt_field: str = "messages"


def check_size(text_bytes: int, max_bytes_per_token: int, limits: TokenLimits) -> None:
    """Raises CONTEXT_TOO_LONG for a text that cannot fit, before it is tokenized."""
    if text_bytes > limits.context_tokens * max_bytes_per_token:
        raise _too_long(-(-text_bytes // max_bytes_per_token), limits)


def output_tokens_for(asked_output_tokens: int, input_tokens: int, limits: TokenLimits) -> int:
    """Returns the most output tokens: what is asked for, cut to what ticket and context leave.

    Raises CONTEXT_TOO_LONG if the prompt leaves no room for one token of an answer,
    and TICKET_LIMIT_EXCEEDED for a prompt that would fit and is longer than the ticket permits.
    """
    left_tokens = limits.context_tokens - input_tokens
    if left_tokens < 1:
        raise _too_long(input_tokens, limits)
    if input_tokens > limits.permitted_input_tokens:
        numbers = Numbers(limit=limits.permitted_input_tokens, requested=input_tokens)
        raise ComptoirError(Reason.TICKET_LIMIT_EXCEEDED, field=limits.prompt_field, numbers=numbers)
    fitting_tokens = min(limits.permitted_output_tokens, left_tokens)
    return min(asked_output_tokens or fitting_tokens, fitting_tokens)


def check_choices(sampling: Sampling, limits: TokenLimits) -> None:
    """Raises TICKET_LIMIT_EXCEEDED for more choices than the ticket permits."""
    if sampling.n > limits.permitted_choices:
        numbers = Numbers(limit=limits.permitted_choices, requested=sampling.n)
        raise ComptoirError(Reason.TICKET_LIMIT_EXCEEDED, field="sampling.n", numbers=numbers)


def check_ending(sampling: Sampling, *, is_structured: bool) -> None:
    """Raises REQUEST_INVALID for an answer that would go on behind what it must be."""
    if is_structured and sampling.ignore_eos:
        raise ComptoirError(Reason.REQUEST_INVALID, field="sampling.ignore_eos")


def check_min_tokens(sampling: Sampling, max_output_tokens: int) -> None:
    """Raises REQUEST_INVALID where an answer would have to be longer than it can be."""
    if sampling.min_tokens > max_output_tokens:
        numbers = Numbers(limit=max_output_tokens, requested=sampling.min_tokens)
        raise ComptoirError(Reason.REQUEST_INVALID, field="sampling.min_tokens", numbers=numbers)


def _too_long(input_tokens: int, limits: TokenLimits) -> ComptoirError:
    numbers = Numbers(limit=limits.context_tokens, requested=input_tokens)
    return ComptoirError(Reason.CONTEXT_TOO_LONG, field=limits.prompt_field, numbers=numbers)
