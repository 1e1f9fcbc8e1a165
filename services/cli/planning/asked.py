"""What `comptoir plan --model` is asked: the load, how the model is divided, and what the engine is told."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.memory.kv_blocks import Cache

_BYTES_OF_KV: Final = {"bfloat16": 2, "float16": 2, "float32": 4, "fp8": 1}

KvDtype = Literal["auto", "bfloat16", "float16", "float32", "fp8"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


class Asked(BaseModel):
    """A load on a replica; 0 takes the context that the model has, and the reserve that is estimated."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    context: int = Field(default=0, ge=0, le=100_000_000)
    concurrency: int = Field(default=1, ge=1, le=1_000_000)
    tensor_parallel: int = Field(default=1, ge=1, le=1_024)
    pipeline_parallel: int = Field(default=1, ge=1, le=1_024)
    kv_dtype: KvDtype = "auto"
    dtype: Dtype = "auto"
    block_tokens: int = Field(default=16, ge=1, le=1_024)
    batched_tokens: int = Field(default=2_048, ge=1, le=1_000_000)
    gpu_memory_utilization: float = Field(default=0.92, gt=0, le=1)
    reserve_gibibytes: float = Field(default=0.0, ge=0, le=1_000)
    bandwidth_share: float = Field(default=1.0, gt=0, le=1)

    def cache(self, weight_bytes: int) -> Cache:
        """Returns how keys and values are kept, for weights of so many bytes a number."""
        # On a GPU one batch is prepared while each stage of the pipeline computes one.
        in_flight = self.batched_tokens * (self.pipeline_parallel + 1)
        return Cache(_BYTES_OF_KV.get(self.kv_dtype, weight_bytes), self.block_tokens, in_flight)
