"""An answer is decoded behind the end of its prompt, and not behind all of it."""

import copy
from typing import Any, Final

from vllm.v1.engine.detokenizer import FastIncrementalDetokenizer, IncrementalDetokenizer

# What a token's text may depend on: the bytes of a letter that began before it, and whether a word did.
END_TOKENS: Final = 64
# A letter has up to four bytes, and so as many tokens.
_MOST_TOKENS_OF_HALF_A_LETTER: Final = 3
_NO_LETTER: Final = "\N{REPLACEMENT CHARACTER}"
_decoder_of = IncrementalDetokenizer.from_new_request


def decode_from_the_end() -> None:
    """Lets vLLM's front end decode no more of a prompt than its end.

    It would decode the whole of it in the event loop, with the first token of each of its choices, and repeat
    it in the answer where it ends within a letter.
    """
    IncrementalDetokenizer.from_new_request = staticmethod(_from_the_end)


def _from_the_end(tokenizer: Any, request: Any) -> IncrementalDetokenizer:
    ids = request.prompt_token_ids
    if ids is None or tokenizer is None:
        return _decoder_of(tokenizer, request)
    request = copy.copy(request)
    ids = request.prompt_token_ids = ids[-END_TOKENS:]
    decoder = _decoder_of(tokenizer, request)
    begun = _tokens_of_half_a_letter(tokenizer, ids)
    if begun and isinstance(decoder, FastIncrementalDetokenizer):
        request.prompt_token_ids = ids[:-begun]
        decoder = FastIncrementalDetokenizer(tokenizer, request)
        for each in ids[-begun:]:
            decoder.decode_next(each)
    return decoder


def _tokens_of_half_a_letter(tokenizer: Any, ids: list[int]) -> int:
    """Returns how many tokens at the end are the beginning of a letter."""
    for count in range(min(len(ids), _MOST_TOKENS_OF_HALF_A_LETTER + 1)):
        if not tokenizer.decode(ids[: len(ids) - count]).endswith(_NO_LETTER):
            return count
    return 0
