"""What one generator is told: its replica, its engine, whom it calls, and how long it waits."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from services.contract.ticket import TICKET_MAX_LIFETIME_SECONDS
from services.generator.domain.bounds import Bounds
from services.generator.domain.engine_parameters import (
    EngineParameters,
    ServedModel,
    SimulatedParameters,
    VllmParameters,
)
from services.generator.domain.foreign_engine import OpenAiServerParameters
from services.generator.domain.queueing import QueueOrder
from services.generator.domain.reasoning import FORMATS
from services.generator.domain.request_size import MOST_BYTES, most_request_bytes
from services.generator.domain.template import TemplateRules
from services.generator.domain.ticket import Replica
from services.kernel.catalog import Model, Task
from services.runtime.addresses import MOST_FURTHER, CallerListen, GrpcTarget, check_different
from services.runtime.settings import MeteredSettings, SettingsError


class GeneratorSettings(MeteredSettings, Bounds):
    """Section `generator`: who it is and whom it calls, its engine, and the bounds."""

    listen: CallerListen = Field(description="where callers reach this replica")
    advertise_address: str = Field(
        default="",
        max_length=256,
        description="the address that callers are told; empty means that of `listen`",
    )
    router: GrpcTarget = Field(
        description="the router that the replica registers with; each behind a host's name, where it has one"
    )
    further_routers: tuple[GrpcTarget, ...] = Field(
        default=(),
        max_length=MOST_FURTHER,
        description="the other routers of the region: the replica registers with each and reports to each",
    )
    emitter: GrpcTarget = Field(description="the emitter that takes the events")
    replica: int = Field(ge=1, description="the replica's number, unique in the deployment")
    gpu_class: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="the number that you give to the kind of accelerator it runs on, for the router, and for "
        "what tokens cost (`usage.gpu_prices`); 0 says nothing",
    )
    gpus: int = Field(
        default=0,
        ge=0,
        le=1_024,
        description="accelerators of that kind that the replica is paid for; 0: as many as share the model "
        "(`vllm.tensor_parallel_size`)",
    )
    engine: Literal["vllm", "openai_server", "simulated"] = Field(
        default="vllm",
        description="`vllm`; `openai_server`, which is a server beside it (`generator.openai_server`); or "
        "`simulated`, which needs no model and answers nonsense",
    )
    tenant: int = Field(
        default=0,
        ge=0,
        lt=2**32,
        description="number of the only tenant that the replica serves; 0 serves all",
    )
    model: str = Field(description="the model's name in the catalog")
    model_path: str = Field(
        default="",
        description="folder of the model, or its hub id where a download is allowed; of a server's model its "
        "tokenizer and chat template are enough, and the simulated engine needs none",
    )
    ticket_public_keys: dict[int, Path] = Field(
        min_length=1,
        description="files with the router's public keys by their number; two while the key is changed",
    )
    cache_salt_secret_file: Path = Field(
        description="file with the secret that tenants' prefix-cache salts are made from"
    )
    simulated: SimulatedParameters = Field(
        default=SimulatedParameters(), description="parameters of the simulated engine"
    )
    vllm: VllmParameters = Field(default=VllmParameters(), description="parameters of vLLM")
    openai_server: OpenAiServerParameters = Field(
        default=OpenAiServerParameters(),
        description="an OpenAI-compatible server that runs beside the generator: `vllm serve`, SGLang, "
        "`trtllm-serve` or `llama-server`",
    )
    queue: QueueOrder = Field(
        default=QueueOrder(),
        description="how long classes of requests yield in the engine's queue, before they go first by age",
    )
    max_requests: int = Field(
        default=256, ge=1, description="most streams at once; more are refused as REPLICA_OVERLOADED"
    )
    max_request_seconds: float = Field(
        default=600.0,
        gt=0,
        description="longest generation. Keep it at or below `router.max_generation_seconds`: a stream that "
        "outlives its lease runs on without counting against its key's concurrency, and its settlement comes "
        "too late",
    )
    usage_wait_seconds: float = Field(
        default=10.0,
        gt=0,
        description="how long a finished answer waits for the emitter before its caller gets "
        "USAGE_NOT_RECORDED",
    )
    max_unrecorded_events: int = Field(
        default=10_000,
        ge=1,
        description="events that may wait for the emitter; while so many do, no request is taken",
    )
    report_interval_seconds: float = Field(
        default=1.0, gt=0, description="longest time between two reports of the load to the router"
    )

    @model_validator(mode="after")
    def _the_model_is_known(self) -> Self:
        if self.catalog.model_by_name(self.model) is None:
            raise ValueError("model is not in catalog.models")
        if self.engine != "simulated" and not self.model_path:
            raise ValueError(f"engine {self.engine} needs model_path")
        if self.engine == "openai_server":
            self._check_tenants_are_apart()
        check_different(self.routers)
        return self

    def _check_tenants_are_apart(self) -> None:
        server = self.openai_server
        is_embedding = self.catalog_model.task is Task.EMBED
        if is_embedding and not server.makes_vectors:
            raise ValueError(f"engine openai_server makes no vectors with a server of {server.kind}")
        are_apart = server.keeps_inputs_apart if is_embedding else server.keeps_tenants_apart
        if not (are_apart or self.tenant):
            raise ValueError(
                f"the prefix cache of {server.kind} would show one tenant what another asked: "
                "set openai_server.prefix_cache to off and start the server without it, or to one_tenant "
                "together with generator.tenant"
            )

    @property
    def routers(self) -> tuple[GrpcTarget, ...]:
        """Every router of the region."""
        return (self.router, *self.further_routers)

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
        return Replica(
            number=self.replica,
            region=self.home.number,
            model=self.catalog_model.number,
            gpu_class=self.gpu_class,
            gpus=self.gpus or self._sharing_gpus,
            tenant=self.tenant,
            bounded_efforts=self.template_rules.bounded_efforts,
        )

    @property
    def _sharing_gpus(self) -> int:
        """As many as share the model; one is 0, which emitters of before take too."""
        size = self.vllm.tensor_parallel_size if self.engine == "vllm" else 1
        return size if size > 1 else 0

    @property
    def served_model(self) -> ServedModel:
        """What the engine is told of the model."""
        model = self.catalog_model
        reasoning = FORMATS.get(model.reasoning_format)
        return ServedModel(model.context_tokens, self.model_path, model.task, reasoning)

    @property
    def template_rules(self) -> TemplateRules:
        """What the model's chat template may be told."""
        return TemplateRules.of(self.catalog_model)

    @property
    def first_answer_seconds(self) -> float | None:
        """How long the engine may take for its first answer; None for one of this process."""
        return self.openai_server.start_seconds if self.engine == "openai_server" else None

    @property
    def engine_parameters(self) -> EngineParameters:
        """What the chosen engine is told besides."""
        parameters: dict[str, EngineParameters] = {
            "simulated": self.simulated,
            "openai_server": self.openai_server,
        }
        return parameters.get(self.engine, self.vllm)

    @property
    def max_request_bytes(self) -> int:
        """The largest message that can be a prompt, or inputs, of this model."""
        if self.catalog_model.task is Task.EMBED:
            # Of several inputs each may fill the context.
            return MOST_BYTES
        return most_request_bytes(self.catalog_model.context_tokens, self.catalog_model.max_bytes_per_token)

    @property
    def settlement_lifetime_seconds(self) -> float:
        """From a settlement until any lease it could be of has expired, however long tickets live."""
        return TICKET_MAX_LIFETIME_SECONDS + self.max_request_seconds

    @property
    def address(self) -> str:
        """Where callers reach this replica."""
        return self.advertise_address or self.listen.address
