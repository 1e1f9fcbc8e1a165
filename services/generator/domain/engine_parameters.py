"""What each kind of engine is told; `settings.py` says what the numbers do and bounds them."""

from dataclasses import dataclass
from typing import Final

# vLLM's own choice.
_BATCHED_TOKENS: Final = 2048


@dataclass(frozen=True, slots=True)
class SimulatedParameters:
    """Parameters of the simulated engine."""

    context_tokens: int = 2048
    ttft_seconds: float = 0.02
    itl_seconds: float = 0.005
    kv_blocks: int = 8192
    kv_block_tokens: int = 16
    max_running_requests: int = 64
    answer_tokens: int = 160


@dataclass(frozen=True, slots=True)
class VllmParameters:
    """Parameters of vLLM; 0 leaves a choice to vLLM."""

    model_path: str
    context_tokens: int
    dtype: str = "auto"
    kv_cache_memory_bytes: int = 256 * 1024 * 1024
    max_running_requests: int = 64
    max_batched_tokens: int = 0
    tensor_parallel_size: int = 1
    cpu_threads: int = 1
    is_eager: bool = False
    is_download_allowed: bool = False

    @property
    def whole_prefill_tokens(self) -> int:
        """Tokens of a step in which the longest prompt fits whole, beside a full running batch."""
        return max(
            self.max_batched_tokens or _BATCHED_TOKENS, self.context_tokens + self.max_running_requests
        )


EngineParameters = SimulatedParameters | VllmParameters
