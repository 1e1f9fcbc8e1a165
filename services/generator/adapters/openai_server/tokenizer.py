"""A model's tokenizer and chat template from its folder, which holds no weights then."""

import json
from dataclasses import dataclass
from pathlib import Path

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


def load_tokenizer(folder: str, context_tokens: int) -> LoadedTokenizer:
    """Returns the folder's tokenizer; takes seconds. Raises SettingsError where it is none for chats."""
    # Only this engine needs them, and they take seconds to import.
    from llguidance.hf import from_tokenizer  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    from services.generator.adapters.prompts.tokenizer import direct  # noqa: PLC0415

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        codec = from_tokenizer(tokenizer)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise SettingsError(f"there is no tokenizer in {folder}: {reason}") from None
    if not tokenizer.chat_template:
        raise SettingsError(f"the tokenizer in {folder} has no chat template.")
    plain = direct(tokenizer)
    prompts = Prompts(plain, converse_as_told(plain), context_tokens)
    return LoadedTokenizer(
        prompts,
        lambda token_id: codec.decode_bytes([token_id]),
        _vocabulary(Path(folder), len(tokenizer)),
        Grammars(tokenizer.backend_tokenizer.to_str),
    )


def _vocabulary(folder: Path, known: int) -> int:
    """Returns how many tokens the model has, which may be more than its tokenizer has."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return known
    size = config.get("vocab_size") if isinstance(config, dict) else None
    return size if isinstance(size, int) and size >= known else known
