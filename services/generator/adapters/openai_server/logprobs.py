"""Probabilities of tokens that a server names by their ids; what their bytes are, the tokenizer says."""

from collections.abc import Callable, Sequence
from typing import Final

from services.generator.adapters.openai_server.chunks import Logprobs
from services.generator.domain.delta import TokenChoice, TokenLogprob

TokenBytes = Callable[[int], bytes]

_NAMED: Final = "token_id:"


def choices_of(
    ids: Sequence[int], told: Logprobs, likeliest: int, token_bytes: TokenBytes
) -> tuple[TokenChoice, ...]:
    """Returns each token with the likeliest in its place; raises ValueError for what does not fit the ids."""
    places = told.top_logprobs or [None] * len(ids)
    return tuple(
        _choice(token_id, logprob, place or {}, likeliest, token_bytes)
        for token_id, logprob, place in zip(ids, told.token_logprobs, places, strict=True)
    )


def _choice(
    chosen: int, logprob: float | None, place: dict[str, float], likeliest: int, token_bytes: TokenBytes
) -> TokenChoice:
    if logprob is None:
        raise ValueError("a token has no probability")
    ranked = sorted(((_id_of(name), value) for name, value in place.items()), key=lambda one: -one[1])
    others = (TokenLogprob(token_bytes(token_id), token_id, value) for token_id, value in ranked[:likeliest])
    return TokenChoice(TokenLogprob(token_bytes(chosen), chosen, logprob), tuple(others))


def _id_of(name: str) -> int:
    if not name.startswith(_NAMED):
        raise ValueError("a token is not named by its id")
    return int(name.removeprefix(_NAMED))
