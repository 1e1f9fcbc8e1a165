"""The JSON of a completion's tokens with the logarithms of their probabilities: lists side by side."""

import codecs
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from services.edge.domain.generation import TokenChoice, TokenLogprob
from services.edge.domain.openai.answers import quoted
from services.edge.domain.openai.pieces import Pieces

# Entries of tokens, token_logprobs, top_logprobs and text_offset, as JSON.
Columns: TypeAlias = tuple[str, str, str, str]
# What stands before the entries of each.
_LISTS: Final = (b'{"tokens":[', b'],"token_logprobs":[', b'],"top_logprobs":[', b'],"text_offset":[')


class TextLogprobs:
    """The `logprobs` objects of one choice; each goes on where the one before ended."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0

    def json(self, tokens: Sequence[TokenChoice]) -> str:
        """Returns the object of the next tokens; null where none were asked for."""
        if not tokens:
            return "null"
        names, logprobs, likeliest, offsets = self.columns(tokens)
        return (
            f'{{"tokens":[{names}],"token_logprobs":[{logprobs}],"top_logprobs":[{likeliest}],'
            f'"text_offset":[{offsets}]}}'
        )

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


class HeldColumns:
    """The tokens of one choice that came one after the other, until they are one `logprobs` object."""

    def __init__(self) -> None:
        self._logprobs = TextLogprobs()
        self._lists = tuple(Pieces(b",") for _ in _LISTS)

    def add(self, tokens: Sequence[TokenChoice]) -> int:
        """Takes the next tokens, and returns how many bytes more are held."""
        columns = self._logprobs.columns(tokens)
        return sum(held.add(entries) for held, entries in zip(self._lists, columns, strict=True))

    def parts(self) -> Iterator[bytes | bytearray]:
        """Yields the object, piece by piece; null without any tokens."""
        if not self._lists[0]:
            yield b"null"
            return
        for before, held in zip(_LISTS, self._lists, strict=True):
            yield before
            yield from held.parts()
        yield b"]}"


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
