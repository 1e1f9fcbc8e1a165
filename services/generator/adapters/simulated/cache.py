"""The simulated engine's prefix cache: whole blocks, kept apart by salt, the longest unused go first."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from services.kernel.steps import Steps

# About a millisecond.
_BLOCKS_PER_STEP: Final = 1024


class PrefixCache:
    """Knows which blocks of prompts were computed before; counts, no contents."""

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self._blocks = blocks
        self._block_tokens = block_tokens
        self._known: OrderedDict[int, None] = OrderedDict()

    def chain_steps(self, input_ids: Sequence[int], salt: str) -> Steps[list[int]]:
        """Returns, in steps, the whole blocks of a prompt: each stands for itself and all before it."""
        chain: list[int] = []
        parent = hash(salt)
        for end in range(self._block_tokens, len(input_ids) + 1, self._block_tokens):
            parent = hash((parent, tuple(input_ids[end - self._block_tokens : end])))
            chain.append(parent)
            if len(chain) % _BLOCKS_PER_STEP == 0:
                yield
        return chain

    def cached_tokens(self, chain: Sequence[int], input_tokens: int) -> int:
        """Returns the tokens of the prompt that need no computing; at least one is always computed."""
        cached_blocks = 0
        for block in chain[: (input_tokens - 1) // self._block_tokens]:
            if block not in self._known:
                break
            self._known.move_to_end(block)
            cached_blocks += 1
        return cached_blocks * self._block_tokens

    def add(self, chain: Sequence[int]) -> None:
        """Remembers the prompt's whole blocks."""
        for block in chain:
            self._known[block] = None
            self._known.move_to_end(block)
        while len(self._known) > self._blocks:
            self._known.popitem(last=False)
