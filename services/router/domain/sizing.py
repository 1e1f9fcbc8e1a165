"""How many tokens a request may use, from bounds alone: the router never sees the prompt."""

from dataclasses import dataclass

from services.runtime.catalog import Model
from services.runtime.errors import ComptoirError, Reason


@dataclass(frozen=True, slots=True)
class Size:
    """The most input and output tokens that tickets permit and the lease reserves."""

    input_tokens: int
    output_tokens: int

    @property
    def reserved_tokens(self) -> int:
        """Return input and output together, as the quota counts them."""
        return self.input_tokens + self.output_tokens


def size_of(model: Model, prompt_tokens_upper_bound: int, max_output_tokens: int) -> Size:
    """Return the size of a request; CONTEXT_TOO_LONG only if it cannot fit whatever its prompt says.

    The bound is in bytes for byte-level tokenizers, so a prompt that seems too long may still
    fit: the generator, which tokenizes it, has the last word.
    """
    fewest_prompt_tokens = -(-prompt_tokens_upper_bound // model.max_bytes_per_token)
    if fewest_prompt_tokens + 1 > model.context_tokens or max_output_tokens > model.context_tokens:
        raise ComptoirError(Reason.CONTEXT_TOO_LONG)
    wanted_tokens = max_output_tokens or model.max_output_tokens
    return Size(
        input_tokens=min(prompt_tokens_upper_bound, model.context_tokens),
        output_tokens=min(wanted_tokens, model.max_output_tokens, model.context_tokens),
    )
