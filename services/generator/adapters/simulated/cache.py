"""The simulated engine's prefix cache: whole blocks, kept apart by salt, the longest unused go first."""

from collections import OrderedDict
from collections.abc import Sequence


class PrefixCache:
    """Knows which blocks of prompts were computed before; counts, no contents."""

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self._blocks = blocks
        self._block_tokens = block_tokens
        self._known: OrderedDict[int, None] = OrderedDict()

    def cached_tokens(self, input_ids: Sequence[int], salt: str) -> int:
        """Returns the tokens of the prompt that need no computing; at least one is always computed."""
        cached_blocks = 0
        for block in self._chain(input_ids[:-1], salt):
            if block not in self._known:
                break
            self._known.move_to_end(block)
            cached_blocks += 1
        return cached_blocks * self._block_tokens

    def add(self, input_ids: Sequence[int], salt: str) -> None:
        """Remembers the prompt's whole blocks."""
        for block in self._chain(input_ids, salt):
            self._known[block] = None
            self._known.move_to_end(block)
        while len(self._known) > self._blocks:
            self._known.popitem(last=False)

    def _chain(self, input_ids: Sequence[int], salt: str) -> list[int]:
        chain: list[int] = []
        parent = hash(salt)
        for end in range(self._block_tokens, len(input_ids) + 1, self._block_tokens):
            parent = hash((parent, tuple(input_ids[end - self._block_tokens : end])))
            chain.append(parent)
        return chain
