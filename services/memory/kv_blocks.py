"""Blocks of the KV cache: their bytes, and how many a request of some length takes; vLLM's own arithmetic."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from services.memory.architecture import Architecture, AttentionKind

# Where one kind of layers is at most this much more than the other, both are padded to the larger.
_PADDED_UP_TO: Final = 1.5


@dataclass(frozen=True, slots=True)
class Cache:
    """How an engine keeps keys and values; the defaults are vLLM's on a GPU."""

    number_bytes: int
    block_tokens: int = 16
    in_flight_tokens: int = 4_096
    """Tokens that are scheduled and not settled: of each batch that runs at once the whole step."""


@dataclass(frozen=True, slots=True)
class Group:
    """Layers that share a table of blocks; vLLM gives a block to one group at a time."""

    kind: AttentionKind
    window: int
    layers: tuple[int, ...]
    """Their places in the model."""

    def blocks_of_request(self, tokens: int, cache: Cache) -> int:
        """Returns the most blocks that a request of so many tokens holds at once."""
        kept = tokens
        match self.kind:
            case AttentionKind.SLIDING:
                # One more, for a window does not begin where a block does.
                kept = min(self.window - 1 + cache.in_flight_tokens, tokens)
                return math.ceil(kept / cache.block_tokens) + 1
            case AttentionKind.CHUNKED:
                kept = min(self.window + cache.in_flight_tokens, tokens)
        return math.ceil(kept / cache.block_tokens)


def groups_of(shape: Architecture) -> tuple[Group, ...]:
    """Returns the groups of the whole model, each of as many layers or padded to as many."""
    alike: dict[tuple[AttentionKind, int], list[int]] = {}
    for index, layer in enumerate(shape.layers):
        alike.setdefault((layer.kind, layer.window), []).append(index)
    if len(alike) == 1:
        (kind, window), layers = next(iter(alike.items()))
        return (Group(kind, window, tuple(layers)),)
    size = _layers_of_a_group(alike)
    found: list[Group] = []
    for (kind, window), layers in alike.items():
        count = math.ceil(len(layers) / size)
        # Taken in turns, so that each stage of a pipeline has some of each.
        found += [Group(kind, window, tuple(layers[first::count])) for first in range(count)]
    return tuple(found)


def page_bytes(shape: Architecture, cache: Cache, ranks: int) -> int:
    """Returns the bytes of a block of one layer on one of so many GPUs of a tensor-parallel group.

    What is latent is whole on each; with fewer heads than GPUs each has one.
    """
    if shape.latent is not None:
        return cache.block_tokens * shape.kv_width * cache.number_bytes
    heads = max(1, shape.kv_heads // ranks)
    return cache.block_tokens * heads * 2 * shape.head_dim * cache.number_bytes


def block_bytes(groups: Sequence[Group], stage: range, page: int) -> int:
    """Returns the bytes of a block of the pool of a stage, which has these layers."""
    return page * max(sum(layer in stage for layer in group.layers) for group in groups)


def blocks_of_request(groups: Sequence[Group], tokens: int, cache: Cache) -> int:
    """Returns the blocks that a request of so many tokens holds, over all groups."""
    return sum(group.blocks_of_request(tokens, cache) for group in groups)


def _layers_of_a_group(alike: Mapping[tuple[AttentionKind, int], Sequence[int]]) -> int:
    sizes = [len(layers) for layers in alike.values()]
    return max(sizes) if max(sizes) < _PADDED_UP_TO * min(sizes) else min(sizes)
