"""Text becomes token ids none of which is a control token, whatever it spells."""

import re
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from services.kernel.errors import ComptoirError, Reason

# Messages in OpenAI's form, and as a chat template reads them.
Messages = list[dict[str, Any]]


class Tokenizer(Protocol):
    """What is used of a tokenizer of the transformers library."""

    def get_added_vocab(self) -> dict[str, int]:
        """Returns control tokens by their spelling."""
        ...

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Returns token ids."""
        ...

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """Returns the text of token ids."""
        ...

    def apply_chat_template(
        self,
        conversation: Messages,
        *,
        tokenize: bool,
        add_generation_prompt: bool,
        tools: Messages | None = None,
        **arguments: Any,
    ) -> str:
        """Returns the rendered prompt."""
        ...


@runtime_checkable
class MeasuringTokenizer(Protocol):
    """A tokenizer that knows how many tokens a text has before it makes a list of them."""

    def encode_up_to(self, text: str, most_tokens: int, *, add_special_tokens: bool) -> Sequence[int]:
        """Returns token ids; of more than `most_tokens` only their number is true."""
        ...


def encode_up_to(
    tokenizer: Tokenizer, text: str, most_tokens: int, *, add_special_tokens: bool
) -> Sequence[int]:
    """Returns token ids; of more than `most_tokens`, which nobody reads, only their number is true.

    A list of half a million numbers takes 10 ms to make and as long to let go of, and holds the loop up in
    whichever thread that is.
    """
    if isinstance(tokenizer, MeasuringTokenizer):
        return tokenizer.encode_up_to(text, most_tokens, add_special_tokens=add_special_tokens)
    ids = tokenizer.encode(text, add_special_tokens=add_special_tokens)
    return ids if len(ids) <= most_tokens else range(len(ids))


class PlainText:
    """Knows a tokenizer's control tokens, and keeps text from becoming one."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        control_tokens = tokenizer.get_added_vocab()
        self._control_ids = frozenset(control_tokens.values())
        spellings = sorted(map(re.escape, control_tokens), key=len, reverse=True)
        self._spelling = re.compile("|".join(spellings) or r"(?!)")

    def spells_controls(self, text: str) -> bool:
        """Returns whether a text spells a control token."""
        return self._spelling.search(text) is not None

    def controls(self, ids: Sequence[int]) -> list[int]:
        """Returns the control tokens among `ids`."""
        return [token_id for token_id in ids if token_id in self._control_ids]

    def encode(self, text: str) -> list[int]:
        """Returns token ids, in which a text that spells a control token is one."""
        return self._tokenizer.encode(text, add_special_tokens=False)

    def token_ids(self, text: str, *, field: str) -> list[int]:
        """Returns token ids, none of them a control token.

        Raises REQUEST_INVALID for `field` where a single character is one.
        """
        ids: list[int] = []
        for piece in self._cut(text):
            ids += self._encode_piece(piece, field)
        return ids

    def _cut(self, text: str) -> list[str]:
        """Cuts every spelling of a control token behind its first character."""
        pieces, begin = [], 0
        while found := self._spelling.search(text, begin):
            pieces.append(text[begin : found.start() + 1])
            begin = found.start() + 1
        return [*pieces, text[begin:]]

    def _encode_piece(self, piece: str, field: str) -> list[int]:
        # Halves, for tokenizers that read other spellings as control tokens too.
        ids = self.encode(piece)
        if not self.controls(ids):
            return ids
        if len(piece) == 1:
            raise ComptoirError(Reason.REQUEST_INVALID, field=field)
        middle = len(piece) // 2
        return self._encode_piece(piece[:middle], field) + self._encode_piece(piece[middle:], field)
