"""Texts become token ids without a chat template; text that spells control tokens stays text."""

from collections.abc import Sequence
from typing import Final

from services.generator.adapters.prompts.plain_text import PlainText, Tokenizer, encode_up_to

# Any text of one token, before which and behind which a tokenizer puts what it puts around every text.
_SAMPLE: Final = "a"


class TextPrompt:
    """Tokenizes a text as vLLM's own server does: with the special tokens that the tokenizer adds.

    Where the text has a part in the control tokens of the whole, it is tokenized apart from what is added.
    """

    def __init__(self, tokenizer: Tokenizer, context_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._context_tokens = context_tokens
        self._plain = PlainText(tokenizer)
        whole = tokenizer.encode(_SAMPLE, add_special_tokens=True)
        sample = self._plain.encode(_SAMPLE)
        places = range(len(whole) - len(sample) + 1)
        begin = next((place for place in places if whole[place : place + len(sample)] == sample), 0)
        self._before, self._behind = whole[:begin], whole[begin + len(sample) :]
        self._added_controls = self._plain.controls([*self._before, *self._behind])

    def token_ids(self, text: str) -> Sequence[int]:
        """Returns the prompt's token ids; of more than the context holds only the number is true."""
        ids = self.ordinary_ids(text)
        if ids is not None:
            return ids
        return [*self._before, *self._plain.token_ids(text, field="prompt"), *self._behind]

    def ordinary_ids(self, text: str) -> Sequence[int] | None:
        """Returns the token ids of a text that spells no control token, None for any other."""
        ids = encode_up_to(self._tokenizer, text, self._context_tokens, add_special_tokens=True)
        # Apart it is longer; what is too long is refused for its length either way.
        is_ordinary = len(ids) >= self._context_tokens or self._plain.controls(ids) == self._added_controls
        return ids if is_ordinary else None
