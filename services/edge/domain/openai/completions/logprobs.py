"""The JSON of a completion's tokens with the logarithms of their probabilities: lists side by side."""

import codecs
from collections.abc import Sequence
from typing import TypeAlias

from services.edge.domain.generation import TokenChoice, TokenLogprob
from services.edge.domain.openai.answers import quoted

# Entries of tokens, token_logprobs, top_logprobs and text_offset, as JSON.
Columns: TypeAlias = tuple[str, str, str, str]


class TextLogprobs:
    """The `logprobs` objects of one choice; each goes on where the one before ended."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0

    def json(self, tokens: Sequence[TokenChoice]) -> str:
        """Returns the object of the next tokens; null where none were asked for."""
        if not tokens:
            return "null"
        return joined_columns_json([self.columns(tokens)])

    def columns(self, tokens: Sequence[TokenChoice]) -> Columns:
        """Returns the next tokens as some of the entries of each list."""
        names = ",".join(quoted(_name(token.chosen.token)) for token in tokens)
        logprobs = ",".join(_number(token.chosen.logprob) for token in tokens)
        likeliest = ",".join(map(_likeliest, tokens))
        offsets = ",".join(str(self._offset_before(token.chosen)) for token in tokens)
        return names, logprobs, likeliest, offsets

    def _offset_before(self, token: TokenLogprob) -> int:
        """Returns the characters that were whole before the token."""
        offset = self._offset
        self._offset += len(self._decoder.decode(token.token))
        return offset


def joined_columns_json(columns: Sequence[Columns]) -> str:
    """Returns the object of entries that came one after the other; null without any."""
    if not columns:
        return "null"
    names, logprobs, likeliest, offsets = (",".join(entries) for entries in zip(*columns, strict=True))
    return (
        f'{{"tokens":[{names}],"token_logprobs":[{logprobs}],"top_logprobs":[{likeliest}],'
        f'"text_offset":[{offsets}]}}'
    )


def _likeliest(token: TokenChoice) -> str:
    # The one that came is among them in any case; it may be one more than were asked for.
    logprobs: dict[str, float] = {}
    for each in (*token.likeliest, token.chosen):
        logprobs.setdefault(_name(each.token), each.logprob)
    return f"{{{','.join(f'{quoted(name)}:{_number(logprob)}' for name, logprob in logprobs.items())}}}"


def _name(token: bytes) -> str:
    """Returns the token's text or, of a part of a character, its bytes as OpenAI spells them."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)


def _number(logprob: float) -> str:
    return f"{logprob:.8g}"
