"""The JSON of a chat's tokens with the logarithms of their probabilities."""

from collections.abc import Sequence

from services.edge.domain.generation import TokenChoice, TokenLogprob
from services.edge.domain.openai.answers import quoted


def logprobs_json(tokens: Sequence[TokenChoice]) -> str:
    """Returns the `logprobs` object of a choice; null where none were asked for."""
    return joined_logprobs_json([content_json(tokens)] if tokens else [])


def content_json(tokens: Sequence[TokenChoice]) -> str:
    """Returns some of the entries of `logprobs.content`."""
    return ",".join(map(_choice, tokens))


def joined_logprobs_json(contents: Sequence[str]) -> str:
    """Returns the `logprobs` object of entries that came one after the other; null without any."""
    return f'{{"content":[{",".join(contents)}],"refusal":null}}' if contents else "null"


def _choice(token: TokenChoice) -> str:
    likeliest = ",".join(f"{{{_token(each)}}}" for each in token.likeliest)
    return f'{{{_token(token.chosen)},"top_logprobs":[{likeliest}]}}'


def _token(token: TokenLogprob) -> str:
    # Part of a character reads as a replacement character, and `bytes` say what it is.
    text = quoted(token.token.decode("utf-8", "replace"))
    return f'"token":{text},"logprob":{token.logprob:.8g},"bytes":[{",".join(map(str, token.token))}]'
