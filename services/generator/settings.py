"""What one generator is told: its replica, its engine, whom it calls, and how long it waits."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.contract.ticket import TICKET_MAX_LIFETIME_SECONDS
from services.generator.domain.bounds import Bounds
from services.generator.domain.engine_parameters import EngineParameters, SimulatedParameters, VllmParameters
from services.generator.domain.queueing import QueueOrder
from services.generator.domain.request_size import most_request_bytes
from services.generator.domain.ticket import Replica
from services.kernel.catalog import Model
from services.runtime.addresses import GrpcListen, GrpcTarget
from services.runtime.settings import ProcessSettings, SettingsError


class SimulatedSettings(BaseModel):
    """The simulated engine's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Time from scheduled to first token of a prompt that the prefix cache does not hold.
    ttft_seconds: float = Field(default=0.02, ge=0)
    # Time of one step; every running request gets one token per step.
    itl_seconds: float = Field(default=0.005, gt=0)
    kv_blocks: int = Field(default=8192, ge=1)
    kv_block_tokens: int = Field(default=16, ge=1)
    # Requests in the running batch; others wait.
    max_running_requests: int = Field(default=64, ge=1)
    # Tokens after which an answer ends by itself.
    answer_tokens: int = Field(default=160, ge=1)


class VllmSettings(BaseModel):
    """What vLLM is told beyond its model; 0 leaves a choice to vLLM."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Numbers that weights and activations are computed in. vLLM's own choice is the model's, but bfloat16 for
    # a float32 model: half the memory, and a small model may answer worse.
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    # Makes capacity the same on every start; a CPU engine needs it. 0 on a GPU uses its free memory.
    kv_cache_memory_bytes: int = Field(default=256 * 1024 * 1024, ge=0)
    max_running_requests: int = Field(default=64, ge=1)
    # Tokens of one step. On a CPU, where a prompt is prefilled in one step, it is raised to hold the longest.
    max_batched_tokens: int = Field(default=0, ge=0)
    tensor_parallel_size: int = Field(default=1, ge=1)
    # Threads of one step on a CPU; more than one only helps a model that keeps several cores busy.
    cpu_threads: int = Field(default=1, ge=1)
    # Skips graph capture; always so on a CPU.
    is_eager: bool = False
    # Lets vLLM fetch `model_path` from the model hub; otherwise nothing leaves the machine.
    is_download_allowed: bool = False


class QueueSettings(BaseModel):
    """How long the classes of requests yield in the engine's queue, before they go first by age."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # A default request goes before interactive ones that come so much later.
    default_yields_seconds: float = Field(default=5.0, ge=0, le=86_400)
    # A batch request goes before interactive ones that come so much later.
    batch_yields_seconds: float = Field(default=60.0, ge=0, le=86_400)

    @model_validator(mode="after")
    def _batch_yields_longest(self) -> Self:
        if self.batch_yields_seconds < self.default_yields_seconds:
            raise ValueError("batch_yields_seconds must not be below default_yields_seconds")
        return self


class GeneratorSettings(ProcessSettings):
    """One generator."""

    listen: GrpcListen
    # Where callers reach this replica; empty means the address of `listen`.
    advertise_address: str = Field(default="", max_length=256)
    router: GrpcTarget
    emitter: GrpcTarget
    # Unique in the deployment.
    replica: int = Field(ge=1)
    engine: Literal["vllm", "simulated"] = "vllm"
    # Name in the catalog.
    model: str
    # Folder of the model, or its hub id where a download is allowed; the simulated engine needs none.
    model_path: str = ""
    ticket_public_keys: dict[int, Path] = Field(min_length=1)
    cache_salt_secret_file: Path
    simulated: SimulatedSettings = SimulatedSettings()
    vllm: VllmSettings = VllmSettings()
    queue: QueueSettings = QueueSettings()
    # Most streams at once; more are refused as REPLICA_OVERLOADED.
    max_requests: int = Field(default=256, ge=1)
    # Longest generation. Keep it at or below `router.max_generation_seconds`: a stream that outlives its
    # lease runs on without counting against its key's concurrency, and its settlement comes too late.
    max_request_seconds: float = Field(default=600.0, gt=0)
    # How long a finished answer waits for the emitter before its caller gets USAGE_NOT_RECORDED.
    usage_wait_seconds: float = Field(default=10.0, gt=0)
    # Events that may wait for the emitter; while so many do, no request is taken.
    max_unrecorded_events: int = Field(default=10_000, ge=1)
    report_interval_seconds: float = Field(default=0.5, gt=0)
    load_event_interval_seconds: float = Field(default=10.0, gt=0)
    # Longer than the longest prefill step and the compilation of a new shape.
    engine_hang_seconds: float = Field(default=120.0, gt=0)
    drain_seconds: float = Field(default=25.0, ge=0)
    flush_seconds: float = Field(default=5.0, ge=0)

    @model_validator(mode="after")
    def _the_model_is_known(self) -> Self:
        if self.catalog.model_by_name(self.model) is None:
            raise ValueError("model is not in catalog.models")
        if self.engine == "vllm" and not self.model_path:
            raise ValueError("engine vllm needs model_path")
        return self

    @property
    def catalog_model(self) -> Model:
        """The catalog's entry of the model."""
        model = self.catalog.model_by_name(self.model)
        if model is None:
            raise SettingsError("model is not in catalog.models")
        return model

    @property
    def identity(self) -> Replica:
        """The replica in catalog numbers."""
        return Replica(number=self.replica, region=self.home.number, model=self.catalog_model.number)

    @property
    def engine_parameters(self) -> EngineParameters:
        """What the chosen engine is told."""
        context_tokens = self.catalog_model.context_tokens
        if self.engine == "simulated":
            return SimulatedParameters(context_tokens=context_tokens, **self.simulated.model_dump())
        return VllmParameters(self.model_path, context_tokens, **self.vllm.model_dump())

    @property
    def max_request_bytes(self) -> int:
        """The largest message that can be a prompt of this model."""
        return most_request_bytes(self.catalog_model.context_tokens, self.catalog_model.max_bytes_per_token)

    @property
    def queue_order(self) -> QueueOrder:
        """How the engine's queue weighs class against age."""
        return QueueOrder(**self.queue.model_dump())

    @property
    def bounds(self) -> Bounds:
        """How often it reports, and how long it waits."""
        return Bounds(**{name: getattr(self, name) for name in Bounds.__slots__})

    @property
    def settlement_lifetime_seconds(self) -> float:
        """From a settlement until any lease it could be of has expired, however long tickets live."""
        return TICKET_MAX_LIFETIME_SECONDS + self.max_request_seconds

    @property
    def address(self) -> str:
        """Where callers reach this replica."""
        return self.advertise_address or self.listen.address
