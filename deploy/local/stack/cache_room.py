"""How much KV cache a stack gives the engine of a model: whole contexts of it, within bounds."""

from collections.abc import Mapping
from typing import Any, Final

from services.memory import configuration
from services.memory.architecture import Architecture
from services.memory.errors import UnknownModelError
from services.memory.kv_blocks import Cache, block_bytes, blocks_of_request, groups_of, page_bytes
from services.memory.replica import Gpus, Replica

# What the generator takes where it is told nothing.
LEAST_CACHE_BYTES: Final = 256 * 2**20
MOST_CACHE_BYTES: Final = 4 * 2**30
_CONTEXTS: Final = 2
# vLLM's on a CPU; smaller ones of a GPU need no more bytes.
_BLOCK_TOKENS: Final = 128


def cache_bytes(config: Mapping[str, Any], context_tokens: int) -> int:
    """Returns the bytes for two requests of the whole context, each with a block to spare.

    Within the bounds; the least of them for a model that is not counted.
    """
    shape = _shape(config)
    if shape is None:
        return LEAST_CACHE_BYTES
    groups, cache = groups_of(shape), _cache(shape, context_tokens)
    size = block_bytes(groups, range(len(shape.layers)), page_bytes(shape, cache, ranks=1))
    wanted = _CONTEXTS * (blocks_of_request(groups, context_tokens, cache) + 1) * size
    return min(max(wanted, LEAST_CACHE_BYTES), MOST_CACHE_BYTES)


def context_with_room(config: Mapping[str, Any], context_tokens: int) -> int:
    """Returns the context, or the longest of which the most cache that a stack gives holds one request."""
    shape = _shape(config)
    if shape is None:
        return context_tokens
    gpus = Gpus(MOST_CACHE_BYTES, 1.0)
    # The cache has no weights in it.
    replica = Replica(shape, gpus, _cache(shape, context_tokens), reserve_bytes=0, weight_factor=0.0)
    return min(context_tokens, replica.longest_context(1)) or context_tokens


def _shape(config: Mapping[str, Any]) -> Architecture | None:
    own = str(config.get("dtype") or config.get("torch_dtype") or "").removeprefix("torch.")
    try:
        # A model of float32 stays one on a CPU, and takes less on a GPU.
        return configuration.read(config, dtype="float32" if own == "float32" else "auto")
    except UnknownModelError:
        return None


def _cache(shape: Architecture, context_tokens: int) -> Cache:
    return Cache(shape.weight_bytes, _BLOCK_TOKENS, context_tokens)
