"""The bounds that the router runs with."""

from collections.abc import Mapping
from enum import Enum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.contract.ticket import TICKET_MAX_LIFETIME_SECONDS, TICKET_MAX_SKEW_SECONDS
from services.router.domain.ageing import Ageing
from services.router.domain.batch_holding import BatchRules
from services.router.domain.placement.circuit import CircuitRules
from services.router.domain.wrong_keys import WrongKeyLimits


class PlacementPolicy(Enum):
    """Which of the replicas that can take a request gets it."""

    LEAST_WORK = "least_work"
    ROUND_ROBIN = "round_robin"
    KV_FIT = "kv_fit"
    PREFIX_AFFINITY = "prefix_affinity"


class KvRoom(Enum):
    """What becomes of a request whose KV blocks are not free on a replica."""

    HOLD = "hold"
    PREFER = "prefer"
    OFF = "off"


class PlacementRules(BaseModel):
    """How replicas are chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: PlacementPolicy = Field(
        default=PlacementPolicy.PREFIX_AFFINITY,
        description="prefix_affinity: the replica with the fewest seconds of work before a first token, less "
        "what it is spared where it has the prompt's beginning in its cache, equals in turn; least_work: the "
        "same whatever is cached; kv_fit: the one whose KV cache has the most free blocks left; "
        "round_robin: one after the other, however busy they are",
    )
    affinity_seconds: float = Field(
        default=2.0,
        ge=0,
        le=60,
        description="with prefix_affinity, the most work, in seconds, that a replica may have beyond another "
        "and get a request because of its cache; 0 is least_work",
    )
    prefix_memory_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=0,
        le=2**32,
        description="with prefix_affinity, the most memory for digests of what replicas had lately; 0 is "
        "least_work",
    )
    kv_room: KvRoom = Field(
        default=KvRoom.HOLD,
        description="hold: a request goes where the KV blocks that it is expected to fill are free, and "
        "waits for `hold_seconds` where they are on no replica; prefer: it goes there first, else to any; "
        "off: free blocks say nothing. A replica without work takes all that fits it",
    )
    circuit: CircuitRules = Field(
        default=CircuitRules(), description="when a replica that fails is left alone"
    )


class GpuPrice(BaseModel):
    """What a replica on one kind of accelerator costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu_class: int = Field(
        ge=1, le=65_535, description="its number, as replicas say it (`generator.gpu_class`)"
    )
    price_per_hour: float = Field(
        ge=0,
        le=1_000_000,
        description="its price, in whatever unit all of them have; unknown classes go last",
    )


class RouterLimits(BaseModel):
    """Lifetimes, waits and choices; the settings of the section `router` are these, files and addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(
        default=1,
        ge=1,
        lt=2**32,
        description="the router's number, another one for each router of a region: replicas settle a lease "
        "with the router that lent it",
    )

    ticket_lifetime_seconds: float = Field(
        default=10.0,
        gt=0,
        le=TICKET_MAX_LIFETIME_SECONDS,
        description="from signing a ticket to its end; what it reserves comes back then if nobody used it",
    )
    acceptance_delay_seconds: float = Field(
        default=2.0,
        ge=0,
        description="how long after a ticket's end a replica may still say that it accepted it",
    )
    place_wait_seconds: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="longest wait for a place of the key, or on a replica, before a request is refused",
    )
    further_ticket_wait_seconds: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="longest wait of a request for another ticket where its key is at its limits: its caller "
        "may hear before the router that its replica is dead, or refused it",
    )
    hold_seconds: float = Field(
        default=30.0,
        ge=0,
        le=600,
        description="longest wait for a replica where none of the model is ready and one is registered, "
        "restarting or starting; 0 refuses at once",
    )
    held_requests: int = Field(
        default=256,
        ge=0,
        le=2048,
        description="most requests that are held so, and of the class batch for a place or for the end of a "
        "hold, half of them of one key at most; more are refused at once",
    )
    first_replica_seconds: float = Field(
        default=0.0,
        ge=0,
        le=3600,
        description="how long after the router's start the first replica of a model is expected, beyond "
        "`replica_return_seconds`: for engines that start after the router, and register late",
    )
    replica_return_seconds: float = Field(
        default=5.0, gt=0, description="a replica that stays away for longer holds nothing any more"
    )
    max_generation_seconds: float = Field(
        default=600.0,
        gt=0,
        description="longest generation, no generator's max_request_seconds may be longer",
    )
    report_timeout_seconds: float = Field(
        default=5.0, gt=0, description="a replica that was silent for longer gets no requests"
    )
    wrong_keys: WrongKeyLimits = Field(
        default=WrongKeyLimits(),
        description="how many keys that this router does not know it looks up",
    )
    placement: PlacementRules = Field(default=PlacementRules(), description="which replica gets a request")
    ageing: Ageing = Field(
        default=Ageing(), description="who goes first of those that wait at the router for a place"
    )
    gpu_prices: tuple[GpuPrice, ...] = Field(
        default=(),
        max_length=256,
        description="what GPU classes cost, by which batch requests go to the cheapest that has room; left "
        "out, they go where others go",
    )
    batch: BatchRules = Field(
        default=BatchRules(), description="when requests of the class batch have to wait"
    )

    @field_validator("gpu_prices")
    @classmethod
    def _each_class_has_one_price(cls, prices: tuple[GpuPrice, ...]) -> tuple[GpuPrice, ...]:
        if len({price.gpu_class for price in prices}) < len(prices):
            raise ValueError("names a gpu_class twice")
        return prices

    @model_validator(mode="after")
    def _batch_begins_before_it_is_refused(self) -> Self:
        deadline_seconds = self.batch.deadline_seconds
        if deadline_seconds is not None and deadline_seconds >= self.hold_seconds:
            raise ValueError(
                f"batch.deadline_seconds ({deadline_seconds:g}) must be below hold_seconds "
                f"({self.hold_seconds:g}), after which a request that waits is refused"
            )
        return self

    @property
    def price_of_gpu_class(self) -> Mapping[int, float]:
        """Returns the prices by GPU class; empty where none is known."""
        return {price.gpu_class: price.price_per_hour for price in self.gpu_prices}

    @property
    def lender(self) -> int:
        """Returns the number of a router that lends what no other knows of; 0 where none ever does."""
        return self.number

    @property
    def has_own_quotas(self) -> bool:
        """Tells whether the router lends every quota by itself, whatever other routers lend of it."""
        return True

    @property
    def clock_tolerance_seconds(self) -> float:
        """Returns how far a replica's clock may be off: a fast one may take half of a ticket's life."""
        half_seconds = self.ticket_lifetime_seconds / 2
        return half_seconds if half_seconds < TICKET_MAX_SKEW_SECONDS else float(TICKET_MAX_SKEW_SECONDS)

    @property
    def replica_silent_seconds(self) -> float:
        """Returns the time from a replica's last report to giving it up, whatever became of its stream."""
        return self.report_timeout_seconds + self.replica_return_seconds

    @property
    def reserved_seconds(self) -> float:
        """Returns how long a reservation lasts from the signing of its tickets."""
        return self.ticket_lifetime_seconds + self.acceptance_delay_seconds

    @property
    def accepted_seconds(self) -> float:
        """Returns how long a ticket that was accepted holds its place if nobody settles it."""
        return self.max_generation_seconds + self.acceptance_delay_seconds
