"""Whether the memory of an engine holds one request of the whole context; counted before the engine loads."""

from dataclasses import dataclass
from typing import Final

from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.memory.architecture import Architecture
from services.memory.kv_blocks import Cache
from services.memory.replica import Gpus, Replica
from services.memory.reserve import reserve_of

# vLLM's own choices. On a CPU each prompt is one step, so a step's tokens are the context's.
_CPU_BLOCK_TOKENS: Final = 128
_GPU_BLOCK_TOKENS: Final = 16
_GPU_STEP_TOKENS: Final = 2_048
# On a GPU the next step is made ready while one runs.
_GPU_STEPS: Final = 2


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """What an engine runs on: 0 bytes where its accelerators do not say theirs, or it has none."""

    is_cpu: bool
    accelerator_bytes: int = 0
    """Of the smallest of them."""


@dataclass(frozen=True, slots=True)
class ContextRoom:
    """What a context takes of a KV cache, and what there is."""

    context_tokens: int
    needed_bytes: int
    has_bytes: int
    longest_tokens: int
    """The longest context that has room; 0 where none has."""
    is_certain: bool
    """Whether it is so whatever the engine takes beside weights and cache."""

    @property
    def fits(self) -> bool:
        """Whether the context has room."""
        return self.context_tokens <= self.longest_tokens


def room_for_context(
    shape: Architecture, model: ServedModel, parameters: VllmParameters, memory: EngineMemory
) -> ContextRoom | None:
    """Returns the room for one request of the model's context; None where the memory is not known.

    Where the KV cache has bytes of its own they are counted exactly. Where it is what a GPU has left, the
    engine's own share is an estimate: a context is certain not to fit only where it would not without any.
    """
    if parameters.kv_cache_memory_bytes:
        return _room(model, _replica(shape, model, parameters, memory), is_certain=True)
    if memory.is_cpu or not memory.accelerator_bytes:
        return None
    estimate = reserve_of(
        shape,
        gpus=parameters.tensor_parallel_size,
        tensor_parallel=parameters.tensor_parallel_size,
        batched_tokens=parameters.max_batched_tokens or _GPU_STEP_TOKENS,
        running_requests=parameters.max_running_requests,
    ).total
    told = _room(model, _replica(shape, model, parameters, memory, estimate), is_certain=False)
    without = _room(model, _replica(shape, model, parameters, memory), is_certain=False)
    return ContextRoom(
        told.context_tokens, told.needed_bytes, told.has_bytes, told.longest_tokens, not without.fits
    )


def _replica(
    shape: Architecture,
    model: ServedModel,
    parameters: VllmParameters,
    memory: EngineMemory,
    reserve_bytes: int = 0,
) -> Replica:
    own = parameters.kv_cache_memory_bytes
    ranks = parameters.tensor_parallel_size
    if own:
        # A cache with bytes of its own has no weights in them.
        return Replica(shape, Gpus(own, 1.0, ranks), _cache(shape, model, parameters, memory), 0, 0.0)
    gpus = Gpus(memory.accelerator_bytes, parameters.gpu_memory_utilization, ranks)
    return Replica(shape, gpus, _cache(shape, model, parameters, memory), reserve_bytes)


def _cache(
    shape: Architecture, model: ServedModel, parameters: VllmParameters, memory: EngineMemory
) -> Cache:
    if memory.is_cpu:
        in_flight = parameters.whole_prefill_tokens(model.context_tokens)
        return Cache(shape.weight_bytes, _CPU_BLOCK_TOKENS, in_flight)
    step = parameters.max_batched_tokens or _GPU_STEP_TOKENS
    return Cache(shape.weight_bytes, _GPU_BLOCK_TOKENS, _GPU_STEPS * step)


def _room(model: ServedModel, replica: Replica, *, is_certain: bool) -> ContextRoom:
    stage = replica.tightest
    # One block of the pool stands for what is not kept.
    blocks = replica.blocks_of_request(model.context_tokens) + 1
    needed = blocks * replica.block_bytes(stage)
    has = max(0, replica.kv_bytes(stage))
    longest = replica.longest_context(1)
    return ContextRoom(model.context_tokens, needed, has, longest, is_certain)
