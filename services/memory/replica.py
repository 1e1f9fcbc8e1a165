"""What fits on the GPUs of a replica: blocks, the most requests at a context, the longest context."""

from dataclasses import dataclass
from functools import cached_property

from services.memory.architecture import Architecture
from services.memory.kv_blocks import Cache, Group, block_bytes, blocks_of_request, groups_of, page_bytes
from services.memory.stages import Stage, stages_of


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs of a replica: the memory of each, what the engine may use of it, and how they share."""

    memory_bytes: int
    utilization: float
    tensor_parallel: int = 1
    pipeline_parallel: int = 1

    @property
    def count(self) -> int:
        """How many there are."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def usable_bytes(self) -> int:
        """What the engine may use of one."""
        return int(self.memory_bytes * self.utilization)


@dataclass(frozen=True)
class Replica:
    """A model on GPUs. `reserve_bytes` is what each needs besides weights and cache."""

    shape: Architecture
    gpus: Gpus
    cache: Cache
    reserve_bytes: int
    weight_factor: float = 1.0
    """How the true bytes of the weights are to those that are counted, where files say them."""

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the pipeline."""
        ranks, stages = self.gpus.tensor_parallel, self.gpus.pipeline_parallel
        return stages_of(self.shape, tensor_parallel=ranks, pipeline_parallel=stages)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups of layers that share blocks."""
        return groups_of(self.shape)

    @property
    def page_bytes(self) -> int:
        """The bytes of a block of one layer on one GPU."""
        return page_bytes(self.shape, self.cache, self.gpus.tensor_parallel)

    def weight_bytes(self, stage: Stage) -> int:
        """Returns the bytes of the weights on a GPU of a stage."""
        return int(stage.weight_bytes * self.weight_factor)

    def block_bytes(self, stage: Stage) -> int:
        """Returns the bytes of a block on a GPU of a stage."""
        return block_bytes(self.groups, stage.layers, self.page_bytes)

    def kv_bytes(self, stage: Stage) -> int:
        """Returns what is left for the cache on a GPU of a stage; negative where the weights do not fit."""
        return self.gpus.usable_bytes - self.weight_bytes(stage) - self.reserve_bytes

    @cached_property
    def tightest(self) -> Stage:
        """The stage that has the fewest blocks, which all others then have too."""
        return min(self.stages, key=lambda stage: self.kv_bytes(stage) / self.block_bytes(stage))

    @cached_property
    def blocks(self) -> int:
        """Blocks that requests can have: one of the pool stands for what is not kept."""
        return max(0, self.kv_bytes(self.tightest) // self.block_bytes(self.tightest) - 1)

    def blocks_of_request(self, tokens: int) -> int:
        """Returns the blocks of a request of so many tokens."""
        return blocks_of_request(self.groups, tokens, self.cache)

    def fits(self, tokens: int, requests: int) -> bool:
        """Whether so many requests of so many tokens have room at once."""
        return requests * self.blocks_of_request(tokens) <= self.blocks

    def most_requests(self, tokens: int) -> int:
        """Returns how many requests of so many tokens have room at once."""
        return self.blocks // self.blocks_of_request(tokens)

    def longest_context(self, requests: int) -> int:
        """Returns the most tokens that so many requests can each have, the model's own at most; or 0."""
        low, high = 0, self.shape.context_tokens
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.fits(middle, requests) else (low, middle - 1)
        return low

    def needed_bytes(self, tokens: int, requests: int) -> int:
        """Returns the memory that the tightest GPU must have for them, before the engine's share is taken."""
        blocks = requests * self.blocks_of_request(tokens) + 1
        stage = self.tightest
        return self.weight_bytes(stage) + self.reserve_bytes + blocks * self.block_bytes(stage)
