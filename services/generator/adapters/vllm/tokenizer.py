"""A tokenizer of the transformers library, without what that library does around it for every text."""

import copy
from typing import Any

from transformers import TokenizersBackend

from services.generator.adapters.vllm.prompt import Messages, Tokenizer


def direct(tokenizer: Any) -> Tokenizer:
    """Returns a tokenizer that gives the same ids, and sooner where the library only calls its backend."""
    # The method by which a class of a tokenizer does more for a text than its backend does.
    ways = (getattr(each, "_encode_plus", None) for each in (type(tokenizer), TokenizersBackend))
    is_plain = len(set(ways)) == 1
    return _DirectTokenizer(tokenizer) if is_plain else tokenizer


class _DirectTokenizer:
    """Asks the backend itself.

    A copy of it, which is set once and never changed: so threads may share it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = tokenizer.split_special_tokens

    def get_added_vocab(self) -> dict[str, int]:
        """Returns control tokens by their spelling."""
        found: dict[str, int] = self._tokenizer.get_added_vocab()
        return found

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Returns token ids."""
        ids: list[int] = self._backend.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def apply_chat_template(
        self, conversation: Messages, *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """Returns the rendered prompt."""
        rendered: str = self._tokenizer.apply_chat_template(
            conversation, tokenize=tokenize, add_generation_prompt=add_generation_prompt
        )
        return rendered
