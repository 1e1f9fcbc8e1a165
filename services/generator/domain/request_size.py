"""How large a message can be that asks for a prompt of so many tokens: known before it is read."""

from typing import Final

# Ticket, stop strings and sampling.
_BESIDE_THE_PROMPT_BYTES: Final = 64 * 1024
# What the message spends on a role, and on a part of a turn; neither comes without a token.
_AROUND_A_TOKEN_BYTES: Final = 16
MOST_BYTES: Final = 4 * 1024 * 1024


def most_request_bytes(input_tokens: int, max_bytes_per_token: int) -> int:
    """Returns the bytes of the largest request with a prompt of `input_tokens`; at most 4 MiB."""
    prompt_bytes = input_tokens * (max_bytes_per_token + _AROUND_A_TOKEN_BYTES)
    return min(MOST_BYTES, prompt_bytes + _BESIDE_THE_PROMPT_BYTES)
