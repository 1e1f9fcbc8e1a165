"""Schemas that were tried before are not made into grammars once more in the event loop."""

from typing import Any

from vllm.v1.structured_output import backend_guidance


def trust_checked_schemas() -> None:
    """Lets vLLM's front end take a schema as it is: it would make a grammar of it in the event loop.

    Every schema has been tried by `Grammars` before, as vLLM's engine uses it.
    """
    backend_guidance.validate_guidance_grammar = _was_checked


def _was_checked(_params: Any, tokenizer: Any = None) -> None:
    del tokenizer
