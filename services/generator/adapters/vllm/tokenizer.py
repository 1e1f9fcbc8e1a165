"""The tokenizer of vLLM's renderer, without what lies around it for every text."""

from typing import Any

from vllm.tokenizers.hf import ThreadSafeHFTokenizerMixin

from services.generator.adapters.prompts import tokenizer as shared
from services.generator.adapters.prompts.plain_text import Tokenizer


def direct(tokenizer: Any) -> Tokenizer:
    """Returns a tokenizer that gives the same ids and prompts, sooner; vLLM's lends copies to threads."""
    return shared.direct(tokenizer, ThreadSafeHFTokenizerMixin)
