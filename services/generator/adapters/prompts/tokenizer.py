"""A tokenizer of the transformers library, without what that library does around it for every text."""

import copy
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase, TokenizersBackend
from transformers.utils.chat_template_utils import render_jinja_template

from services.generator.adapters.prompts.plain_text import Messages, Tokenizer


def direct(tokenizer: Any, lends: type | None = None) -> Tokenizer:
    """Returns a tokenizer that gives the same ids and prompts, sooner where the library has no more to do.

    That is so for a class that leaves both methods as they are; one mixed in that only `lends` copies to
    threads changes nothing.
    """
    is_plain = (
        _owner(tokenizer, "_encode_plus", lends) is TokenizersBackend
        and _owner(tokenizer, "apply_chat_template", lends) is PreTrainedTokenizerBase
    )
    return _DirectTokenizer(tokenizer) if is_plain else tokenizer


def _owner(tokenizer: Any, method: str, lends: type | None) -> type | None:
    """Returns the class that the method is of; one that only lends copies asks that one too."""
    classes = (each for each in type(tokenizer).__mro__ if method in vars(each))
    return next((each for each in classes if lends not in each.__bases__), None)


class _DirectTokenizer:
    """Asks the backend and the template themselves.

    Its backend is a copy, which is set once and never changed: so threads may share it.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # A model that makes vectors has none.
        self._template = tokenizer.get_chat_template() if tokenizer.chat_template else ""
        self._named_tokens = tokenizer.special_tokens_map
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
        ids: list[int] = self._encoded(text, add_special_tokens=add_special_tokens).ids
        return ids

    def encode_up_to(self, text: str, most_tokens: int, *, add_special_tokens: bool) -> Sequence[int]:
        """Returns token ids; of more than `most_tokens` only their number is true."""
        encoded = self._encoded(text, add_special_tokens=add_special_tokens)
        if len(encoded) > most_tokens:
            return range(len(encoded))
        ids: list[int] = encoded.ids
        return ids

    def _encoded(self, text: str, *, add_special_tokens: bool) -> Any:
        # For one text the backend would hold the interpreter's lock until it is done, in a thread too.
        (encoded,) = self._backend.encode_batch_fast([text], add_special_tokens=add_special_tokens)
        return encoded

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        """Returns the text of token ids."""
        text: str
        (text,) = self._backend.decode_batch([ids], skip_special_tokens=skip_special_tokens)
        return text

    def apply_chat_template(
        self,
        conversation: Messages,
        *,
        tokenize: bool,  # noqa: ARG002 - the library's signature; it is False
        add_generation_prompt: bool,
        tools: Messages | None = None,
        **arguments: Any,
    ) -> str:
        """Returns the rendered prompt."""
        prompts: list[str]
        prompts, _ = render_jinja_template(
            [conversation],
            tools=tools,
            chat_template=self._template,
            add_generation_prompt=add_generation_prompt,
            **self._named_tokens | arguments,
        )
        return prompts[0]
