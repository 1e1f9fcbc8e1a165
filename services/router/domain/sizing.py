"""How many tokens a request may use, from bounds alone: the router never sees the prompt."""

from dataclasses import dataclass

from services.kernel.catalog import Model
from services.kernel.errors import ComptoirError, Numbers, Reason


@dataclass(frozen=True, slots=True)
class Size:
    """The most input tokens that tickets permit, the most output tokens of each choice, and the context."""

    input_tokens: int
    output_tokens: int
    context_tokens: int
    choices: int = 1

    @property
    def reserved_tokens(self) -> int:
        """Returns what the lease reserves: input and output together, and never more than the context.

        Each further choice has an output of its own behind the same input.
        """
        first_tokens = min(self.input_tokens + self.output_tokens, self.context_tokens)
        return first_tokens + (self.choices - 1) * self.output_tokens


def size_of(model: Model, prompt_tokens_upper_bound: int, max_output_tokens: int, choices: int = 1) -> Size:
    """Returns the size of a request; CONTEXT_TOO_LONG only if no token of an answer can fit.

    An output that is too large is cut to what fits, over HTTP and gRPC alike. The bound is in bytes for
    byte-level tokenizers, so a prompt that seems too long may still fit: the generator, which
    tokenizes it, has the last word.
    """
    fewest_prompt_tokens = -(-prompt_tokens_upper_bound // model.max_bytes_per_token)
    left_tokens = model.context_tokens - fewest_prompt_tokens
    if left_tokens < 1:
        numbers = Numbers(limit=model.context_tokens, requested=fewest_prompt_tokens)
        raise ComptoirError(Reason.CONTEXT_TOO_LONG, field="prompt_tokens_upper_bound", numbers=numbers)
    wanted_tokens = max_output_tokens or model.max_output_tokens
    return Size(
        input_tokens=min(prompt_tokens_upper_bound, model.context_tokens),
        output_tokens=min(wanted_tokens, model.max_output_tokens, left_tokens),
        context_tokens=model.context_tokens,
        choices=choices,
    )


def size_of_inputs(model: Model, prompt_tokens_upper_bound: int, inputs: int) -> Size:
    """Returns the size of inputs of which each may fill the context and none has an output.

    CONTEXT_TOO_LONG only if one of them, whichever, cannot fit; how long each is, the generator finds out.
    """
    room_tokens = inputs * model.context_tokens
    fewest_tokens = -(-prompt_tokens_upper_bound // model.max_bytes_per_token)
    if fewest_tokens > room_tokens:
        numbers = Numbers(limit=model.context_tokens, requested=-(-fewest_tokens // inputs))
        raise ComptoirError(Reason.CONTEXT_TOO_LONG, field="prompt_tokens_upper_bound", numbers=numbers)
    return Size(
        input_tokens=min(prompt_tokens_upper_bound, room_tokens), output_tokens=0, context_tokens=room_tokens
    )
