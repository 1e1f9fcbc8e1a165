"""What the bytes of a token are: a token may be a part of a character, which no text can say."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from xgrammar import TokenizerInfo

from services.generator.domain.delta import TokenChoice, TokenLogprob


class TokenBytes:
    """The vocabulary of a tokenizer of the transformers library, in bytes; read once it is needed."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @cached_property
    def _vocabulary(self) -> Sequence[bytes]:
        vocabulary: Sequence[bytes] = TokenizerInfo.from_huggingface(self._tokenizer).decoded_vocab
        return vocabulary

    def choices(
        self, token_ids: Sequence[int], places: Sequence[Any], likeliest: int
    ) -> tuple[TokenChoice, ...]:
        """Returns the tokens of an output from vLLM's logprobs, which are by token id in each place.

        Ranks count from 1; the chosen token has its place among the others, or stands behind them.
        """
        return tuple(
            self._choice(token_id, place, likeliest)
            for token_id, place in zip(token_ids, places, strict=True)
        )

    def _choice(self, chosen_id: int, place: Any, likeliest: int) -> TokenChoice:
        ranked = sorted(place.items(), key=lambda entry: entry[1].rank)[:likeliest]
        return TokenChoice(
            self._token(chosen_id, place[chosen_id].logprob),
            tuple(self._token(token_id, entry.logprob) for token_id, entry in ranked),
        )

    def _token(self, token_id: int, logprob: float) -> TokenLogprob:
        # A model may have more places for tokens than its tokenizer has tokens.
        is_known = token_id < len(self._vocabulary)
        return TokenLogprob(self._vocabulary[token_id] if is_known else b"", token_id, logprob)
