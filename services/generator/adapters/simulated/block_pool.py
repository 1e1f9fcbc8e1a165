"""Blocks of the simulated KV cache as vLLM keeps them: shared by content, and the longest unused go first."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence


class BlockPool:
    """Counts the users of each block and knows what whole blocks hold, by a number that stands for it.

    A block that nobody uses is free and may still be found, until it is taken for something else.
    """

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._users = [0] * blocks
        self._contents: list[int | None] = [None] * blocks
        # In the order in which they are taken.
        self._free: OrderedDict[int, None] = OrderedDict.fromkeys(range(blocks))
        # More than one may hold the same: requests side by side compute it each for itself.
        self._known: dict[int, dict[int, None]] = {}

    @property
    def free_blocks(self) -> int:
        """Returns how many nobody uses, those that may still be found among them."""
        return len(self._free)

    @property
    def usage(self) -> float:
        """Returns the share that is used, from 0 to 1."""
        return 1 - len(self._free) / self._blocks

    def found(self, chain: Sequence[int], most: int) -> list[int]:
        """Returns the blocks that hold the beginning of a chain of contents, at most so many."""
        blocks: list[int] = []
        for content in chain[:most]:
            holders = self._known.get(content)
            if holders is None:
                break
            blocks.append(next(iter(holders)))
        return blocks

    def unused(self, blocks: Iterable[int]) -> int:
        """Returns how many of these are free: to share them takes as many free ones."""
        return sum(not self._users[block] for block in blocks)

    def share(self, blocks: Iterable[int]) -> None:
        """Adds a user to blocks that were found."""
        for block in blocks:
            if not self._users[block]:
                del self._free[block]
            self._users[block] += 1

    def take(self, count: int) -> list[int]:
        """Returns free blocks for one user, and forgets what they held; there must be as many."""
        taken: list[int] = []
        for _ in range(count):
            block, _ = self._free.popitem(last=False)
            self._forget(block)
            self._users[block] = 1
            taken.append(block)
        return taken

    def fill(self, block: int, content: int) -> None:
        """Notes what a whole block holds."""
        self._contents[block] = content
        self._known.setdefault(content, {})[block] = None

    def give_back(self, blocks: Sequence[int]) -> None:
        """Takes a user from each block of one request, in its order.

        The last are taken again first; those that hold nothing to be found before all others.
        """
        nameless: list[int] = []
        for block in reversed(blocks):
            self._users[block] -= 1
            if self._users[block]:
                continue
            self._free[block] = None
            if self._contents[block] is None:
                nameless.append(block)
        for block in reversed(nameless):
            self._free.move_to_end(block, last=False)

    def _forget(self, block: int) -> None:
        content = self._contents[block]
        if content is None:
            return
        self._contents[block] = None
        holders = self._known[content]
        del holders[block]
        if not holders:
            del self._known[content]
