"""How many KV blocks the requests of a replica will need at once beyond those that they have."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filling:
    """What a request has filled of the KV cache, and how much further it is expected to grow, in blocks."""

    blocks: int
    growth_blocks: int


def filling_of(predicted_blocks: int, *, input_tokens: int, output_tokens: int, block_tokens: int) -> Filling:
    """Returns what a request's tokens fill, and what is left of what was predicted; none if it has more.

    A prompt that is counted has its blocks, or waits for them among the input tokens that the load tells.
    Where an engine answers and has not said how long the prompt was, nothing is known, and nothing expected.
    """
    if not block_tokens:
        return Filling(0, 0)
    blocks = -(-(input_tokens + output_tokens) // block_tokens)
    is_known = input_tokens > 0 or output_tokens == 0
    return Filling(blocks, max(0, predicted_blocks - blocks) if is_known else 0)


def most_growth(fillings: Iterable[Filling]) -> int:
    """Returns the most blocks beyond the present ones that are expected to be in use at one moment.

    Not what all of them grow by: they grow at one pace, and one that ends gives its blocks back before others
    have theirs. So the most is in use just before one of them ends. One that has outgrown its prediction
    keeps what it has, since nobody knows when it ends.
    """
    growing = sorted((one for one in fillings if one.growth_blocks), key=_growth, reverse=True)
    now = sum(one.blocks for one in growing)
    most, left = now, 0
    for count, one in enumerate(growing, start=1):
        left += one.blocks
        most = max(most, left + count * one.growth_blocks)
    return most - now


def _growth(one: Filling) -> int:
    return one.growth_blocks
