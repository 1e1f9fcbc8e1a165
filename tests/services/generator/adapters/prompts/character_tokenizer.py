"""A tokenizer that knows its control tokens in any case, in place of a model's own."""

import re
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from jinja2.exceptions import TemplateError

CONTROL = {"<|user|>": 1, "<|end|>": 2, "<|assistant|>": 3, "<tool>": 4, "<s>": 5, "</s>": 6}
START, STOP = CONTROL["<s>"], CONTROL["</s>"]
PIECES = st.sampled_from([*CONTROL, "<|", "|>", "<", "end", "user", "<|END|>", "<|e", "é", " ", "a", "\n"])
TEXTS = st.lists(PIECES, max_size=12).map("".join)


class CharacterTokenizer:
    """One token per character, and one per control token, spelt in any case."""

    def get_added_vocab(self) -> dict[str, int]:
        return CONTROL

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        parts = re.split(f"({'|'.join(map(re.escape, CONTROL))})", text, flags=re.IGNORECASE)
        ids: list[int] = []
        for part in parts:
            control = CONTROL.get(part.lower())
            ids += [control] if control else [ord(character) + 100 for character in part]
        return [START, *ids, STOP] if add_special_tokens else ids

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return "".join(chr(token_id - 100) for token_id in ids if token_id >= 100)

    def apply_chat_template(
        self,
        conversation: list[dict[str, Any]],
        *,
        tokenize: bool,
        add_generation_prompt: bool,
        tools: list[dict[str, Any]] | None = None,
        **arguments: Any,
    ) -> str:
        assert not tokenize
        assert add_generation_prompt
        if conversation[0]["role"] == "assistant":
            raise TemplateError("kanarienvogel")
        told = f"{tools}<|end|>" if tools else ""
        return told + "".join(f"<|user|>{turn['content']}<|end|>" for turn in conversation) + "<|assistant|>"
