"""What each kind of engine is told: of the model that it serves, and the sections of the settings for it."""

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.generator.domain.foreign_engine import OpenAiServerParameters
from services.generator.domain.reasoning import ReasoningFormat
from services.kernel.catalog import Task

# vLLM's own choice.
_BATCHED_TOKENS: Final = 2048


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What the catalog and the settings say of the model; a simulated engine needs no path."""

    context_tokens: int
    path: str = ""
    task: Task = Task.GENERATE
    reasoning: ReasoningFormat | None = None


class SimulatedParameters(BaseModel):
    """The simulated engine's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ttft_seconds: float = Field(
        default=0.02,
        ge=0,
        description="time from scheduled to first token, at least, of a prompt that the prefix cache does "
        "not hold; others go on meanwhile",
    )
    itl_seconds: float = Field(
        default=0.005,
        gt=0,
        description="time of one step, in which a request gets one token, or a part of its prompt computed",
    )
    prefill_token_seconds: float = Field(
        default=0.0, ge=0, description="what each token of a prompt that a step computes adds to its time"
    )
    running_request_seconds: float = Field(
        default=0.0, ge=0, description="what each request that a step computes for adds to its time"
    )
    kv_blocks: int = Field(default=8192, ge=1, description="blocks of the KV cache")
    kv_block_tokens: int = Field(default=16, ge=1, description="tokens of a block")
    max_running_requests: int = Field(
        default=64, ge=1, description="requests in the running batch; others wait"
    )
    max_batched_tokens: int = Field(
        default=8192, ge=1, description="tokens of one step; longer prompts take several"
    )
    answer_tokens: int = Field(default=160, ge=1, description="tokens after which an answer ends by itself")
    load_seconds: float = Field(
        default=0.0, ge=0, description="time that its start takes, as if it had a model to load"
    )

    @property
    def takes_long_to_start(self) -> bool:
        """Whether requests come meanwhile."""
        return self.load_seconds > 0


class VllmParameters(BaseModel):
    """What vLLM is told beyond its model; 0 leaves a choice to vLLM."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto",
        description="numbers of weights, activations and KV cache. `auto` is the model's own, but on a GPU "
        "bfloat16 for a float32 model, as vLLM chooses: half the memory, and a small model may answer worse",
    )
    kv_cache_memory_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=0,
        description="memory of the KV cache, so that capacity is the same on every start; a CPU engine "
        "needs it, 0 on a GPU uses its free memory",
    )
    gpu_memory_utilization: float = Field(
        default=0.92,
        gt=0,
        le=1,
        description="share of a GPU's memory that must be free at the start, and that the engine fills where "
        "`kv_cache_memory_bytes` is 0; lower it for engines that share a GPU",
    )
    max_running_requests: int = Field(
        default=64, ge=1, description="requests in the running batch; others wait"
    )
    max_batched_tokens: int = Field(
        default=0,
        ge=0,
        description="tokens of one step; on a CPU, where a prompt is prefilled in one step, it is raised to "
        "hold the longest",
    )
    tensor_parallel_size: int = Field(default=1, ge=1, description="GPUs that share the model")
    cpu_threads: int = Field(
        default=1,
        ge=1,
        description="threads of one step on a CPU; more than one only helps a model that keeps several "
        "cores busy",
    )
    is_eager: bool = Field(default=False, description="skips graph capture; always so on a CPU")
    is_download_allowed: bool = Field(
        default=False,
        description="lets vLLM fetch `model_path` from the model hub; otherwise nothing leaves the machine",
    )

    @property
    def takes_long_to_start(self) -> bool:
        """Whether requests come meanwhile: seconds, for a large model minutes."""
        return True

    def whole_prefill_tokens(self, context_tokens: int) -> int:
        """Returns the tokens of a step that holds the longest prompt whole, beside a full running batch."""
        return max(self.max_batched_tokens or _BATCHED_TOKENS, context_tokens + self.max_running_requests)


EngineParameters = SimulatedParameters | VllmParameters | OpenAiServerParameters
