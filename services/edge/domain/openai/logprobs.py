"""The JSON of a chat's tokens with the logarithms of their probabilities."""

from collections.abc import Sequence
from typing import Final

from services.edge.domain.generation import TokenChoice, TokenLogprob
from services.edge.domain.openai.answers import quoted

# What stands around the entries in the `logprobs` of a choice.
LOGPROBS_BEFORE: Final = '{"content":['
LOGPROBS_BEHIND: Final = '],"refusal":null}'


def logprobs_json(tokens: Sequence[TokenChoice]) -> str:
    """Returns the `logprobs` object of a choice; null where none were asked for."""
    return f"{LOGPROBS_BEFORE}{content_json(tokens)}{LOGPROBS_BEHIND}" if tokens else "null"


def content_json(tokens: Sequence[TokenChoice]) -> str:
    """Returns some of the entries of `logprobs.content`."""
    return ",".join(map(_choice, tokens))


def _choice(token: TokenChoice) -> str:
    likeliest = ",".join(f"{{{_token(each)}}}" for each in token.likeliest)
    return f'{{{_token(token.chosen)},"top_logprobs":[{likeliest}]}}'


def _token(token: TokenLogprob) -> str:
    # Part of a character reads as a replacement character, and `bytes` say what it is.
    text = quoted(token.token.decode("utf-8", "replace"))
    return f'"token":{text},"logprob":{token.logprob:.8g},"bytes":[{",".join(map(str, token.token))}]'
