"""A replica as the router knows it: who it is, how busy it says it is, and what was sent there."""

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from services.contract.first_tokens import FirstTokens
from services.kernel.engine_features import ALL_FEATURES
from services.router.domain.lease import Process
from services.router.domain.placement.backlog import Backlog
from services.router.domain.placement.circuit import CLOSED, Circuit
from services.router.domain.placement.kinds import Kind


@dataclass(frozen=True, slots=True)
class Registration:
    """A replica's identity and limits; model, region and GPU class are catalog numbers.

    0 means unknown, of KV blocks, engine, GPU class and memory too. `incarnation` is another number for every
    process of the replica. A `tenant` other than 0 is the only one that it serves.
    """

    replica: int
    region: int
    model: int
    address: str
    context_tokens: int
    kv_block_tokens: int
    kv_blocks: int
    max_requests: int
    incarnation: int = 0
    engine: int = 0
    gpu_class: int = 0
    accelerator_memory_bytes: int = 0
    # How many it registers with, this one among them.
    routers: int = 0
    # What its engine can be asked for, a sum of EngineFeature.
    features: int = ALL_FEATURES
    tenant: int = 0
    # Kept, as each request asks for them of every replica: the process that registered, how many tokens the
    # KV cache holds, 0 if unknown, and whom it may serve.
    process: Process = field(init=False, repr=False, compare=False)
    cache_tokens: int = field(init=False, repr=False, compare=False)
    kind: Kind = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", Kind(self.tenant, self.features))
        object.__setattr__(self, "process", Process(self.replica, self.incarnation))
        object.__setattr__(self, "cache_tokens", self.kv_blocks * self.kv_block_tokens)


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a replica said it was; `age_seconds` is how old its engine's numbers were when it said so.

    None means that it does not say, and never zero. `open_requests` is how many requests it has; its engine
    may count one as many: each choice and each input. `waiting_input_tokens` are those of requests without a
    first token. `input_tokens_per_second` is what it computed lately while any waited, and
    `output_tokens_per_second` what it made while any request was open. `first_tokens` are those of the last
    minute. `kv_growth_blocks` are the most that its requests are expected to need beyond what they have.
    """

    running_requests: int | None
    waiting_requests: int | None
    kv_usage_permille: int | None
    age_seconds: float
    is_draining: bool
    open_requests: int | None = None
    unfinished_requests: int | None = None
    kv_free_blocks: int | None = None
    waiting_input_tokens: int | None = None
    input_tokens_per_second: int | None = None
    output_tokens_per_second: int | None = None
    first_tokens: FirstTokens | None = None
    kv_growth_blocks: int | None = None

    @property
    def held_requests(self) -> int:
        """How many the engine has, as it counts or, where it does not, as its replica does."""
        said = (self.running_requests or 0) + (self.waiting_requests or 0)
        is_whole = self.running_requests is not None and self.waiting_requests is not None
        return said if is_whole else max(said, self.unfinished_requests or 0)


@dataclass(frozen=True, slots=True)
class Claims:
    """What requests are expected to use that were sent to a replica and that its reports do not hold yet.

    One that nobody claims by `until_seconds` is not coming any more.
    """

    input_tokens: int = 0
    kv_blocks: int = 0
    until_seconds: float = math.inf

    def plus(self, one: "Claims") -> "Claims":
        """Returns these and those of one more request, as a sum that has no end of its own."""
        return Claims(self.input_tokens + one.input_tokens, self.kv_blocks + one.kv_blocks)

    def minus(self, one: "Claims") -> "Claims":
        """Returns these without those of one request that is among them."""
        return Claims(self.input_tokens - one.input_tokens, self.kv_blocks - one.kv_blocks)


NO_CLAIMS: Final = Claims()


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica as the router knows it.

    `in_flight` counts the requests that this router sent there, `claims` what those of them may use that its
    report does not hold, and `backlog` has the prompts that wait, by both. `clock_offset_seconds` says how
    far its clock is ahead of the router's, None where it does not say its time. `is_drain_wanted` says that
    an operator has asked for its drain, and that it has not said so itself yet. `circuit` remembers its
    failures. `open_requests` are those that it has, as it said or as this router sent, the larger, and
    `outstanding` the work that it has, as its engine counts or as this router sent.
    """

    registration: Registration
    load: Load | None
    reported_at_seconds: float
    in_flight: int
    registered_at_seconds: float = 0.0
    clock_offset_seconds: float | None = None
    is_drain_wanted: bool = False
    claims: Claims = NO_CLAIMS
    backlog: Backlog | None = None
    circuit: Circuit = CLOSED
    # Kept: a replica is asked for them more often than it changes.
    open_requests: int = field(init=False, repr=False, compare=False)
    outstanding: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        load, sent = self.load, self.in_flight
        outstanding = sent if load is None else max(sent, load.held_requests)
        said = load.open_requests if load is not None and load.open_requests is not None else outstanding
        object.__setattr__(self, "outstanding", outstanding)
        object.__setattr__(self, "open_requests", max(sent, said))


class State(IntEnum):
    """Whether a replica gets requests, or why not; the numbers of the schema's ReplicaState."""

    READY = 1
    STARTING = 2
    SILENT = 3
    DRAINING = 4
    CLOCK_WRONG = 5
