"""All that becomes token ids, for an engine that takes nothing else."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from services.generator.adapters.prompts.chat_prompt import ChatPrompt, Converse, is_short
from services.generator.adapters.prompts.plain_text import Tokenizer
from services.generator.adapters.prompts.text_prompt import TextPrompt
from services.generator.domain.prompt import Chat, Text

_THREADS: Final = 2
# Decoded in less time than a thread takes to begin.
_FEW_IDS: Final = 64


class Prompts:
    """Token ids of chats and of texts, and back; what takes long runs in a thread of its own."""

    def __init__(self, tokenizer: Tokenizer, converse: Converse, context_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._chat = ChatPrompt(tokenizer, converse, context_tokens)
        self._text = TextPrompt(tokenizer, context_tokens)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="tokenizer")

    async def token_ids(self, prompt: Chat | Text) -> Sequence[int]:
        """Returns the prompt's token ids; raises REQUEST_INVALID if the template refuses the roles."""
        if is_short(prompt):
            ids = self._ordinary_ids(prompt)
            if ids is not None:
                return ids
        # A long prompt takes long, and every stream of this process would wait for it.
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._token_ids, prompt)

    async def text(self, ids: Sequence[int], *, spells_controls: bool) -> str:
        """Returns the text of token ids, in which control tokens have none or their spelling."""
        if len(ids) <= _FEW_IDS:
            return self._decode(ids, spells_controls=spells_controls)
        decode = partial(self._decode, ids, spells_controls=spells_controls)
        return await asyncio.get_running_loop().run_in_executor(self._threads, decode)

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ordinary_ids(self, prompt: Chat | Text) -> Sequence[int] | None:
        if isinstance(prompt, Text):
            return self._text.ordinary_ids(prompt.text)
        return self._chat.ordinary_ids(prompt)

    def _token_ids(self, prompt: Chat | Text) -> Sequence[int]:
        if isinstance(prompt, Text):
            return self._text.token_ids(prompt.text)
        return self._chat.token_ids(prompt)

    def _decode(self, ids: Sequence[int], *, spells_controls: bool) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=not spells_controls)
