"""A model's tokenizer and chat template from its folder, which holds no weights then."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.generator.adapters.grammars.grammars import Grammars
from services.generator.adapters.openai_server.logprobs import TokenBytes
from services.generator.adapters.prompts.conversation import converse_as_told
from services.generator.adapters.prompts.prompts import Prompts
from services.runtime.settings import SettingsError


@dataclass(frozen=True, slots=True)
class LoadedTokenizer:
    """What is made of a folder."""

    prompts: Prompts
    token_bytes: TokenBytes
    vocabulary_tokens: int
    # Tries what answers are held to; it has a process once it is asked.
    grammars: Grammars


def load_tokenizer(folder: str, context_tokens: int, *, has_chats: bool = True) -> LoadedTokenizer:
    """Returns the folder's tokenizer; takes seconds. SettingsError where it is none, or has no chats."""
    # Only this engine needs them, and they take seconds to import.
    from llguidance.hf import from_tokenizer  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    from services.generator.adapters.prompts.tokenizer import direct  # noqa: PLC0415

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        # One of a model of vectors tells the bytes of no token.
        codec = from_tokenizer(tokenizer) if has_chats else None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SettingsError(f"there is no tokenizer in {folder}: {reason}") from None
    if has_chats and not tokenizer.chat_template:
        raise SettingsError(f"the tokenizer in {folder} has no chat template.")
    plain = direct(tokenizer)
    converse = converse_as_told(plain) if has_chats else list
    config = _config(Path(folder))
    return LoadedTokenizer(
        Prompts(plain, converse, context_tokens),
        lambda token_id: b"" if codec is None else codec.decode_bytes([token_id]),
        _vocabulary(config, len(tokenizer)),
        Grammars(tokenizer.backend_tokenizer.to_str),
    )


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) else {}


def _vocabulary(config: Mapping[str, Any], known: int) -> int:
    """Returns how many tokens the model has, which may be more than its tokenizer has."""
    size = config.get("vocab_size")
    return size if isinstance(size, int) and size >= known else known
