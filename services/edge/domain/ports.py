"""What the edge needs of the other processes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol, TypeAlias

from services.edge.domain.generation import Counts, Delta, GenerationRequest, Priority
from services.edge.domain.timeline import EdgeRequest
from services.kernel.catalog import Task
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState

# Takes a delta in the turn of the loop in which it came; false where it must wait.
Take: TypeAlias = Callable[[Delta], bool]


@dataclass(frozen=True, slots=True)
class Retirement:
    """A name should not be used since the one moment, and goes away at the other, if that is not 0."""

    deprecated_at_seconds: int
    sunset_at_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a key may use, under the name `name`; answers say `model_name`."""

    name: str
    model_name: str
    created_at_seconds: int
    context_tokens: int
    max_output_tokens: int
    retirement: Retirement | None = None
    task: Task = Task.GENERATE


@dataclass(frozen=True, slots=True)
class Offer:
    """One ticket, opaque, and the address of the replica that accepts it."""

    generator_address: str
    claims: bytes
    signature: bytes
    signing_key_number: int
    # By which the replica's region serves the request; 0 within the EU.
    transfer_record: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """An admitted request: its first offer, and the lease behind it.

    The offer may be used at once; nothing of its answer may leave before `recorded` returns, which raises
    ComptoirError where the admission is not durable: UNAVAILABLE where its router is gone and nobody knows.
    `next_offer` asks for another one, and raises ComptoirError where there is none: as long as no delta has
    come, after a failure that permits it. `hedge` asks for one because the replica says nothing for long; it
    is None where the router does not tell a replica that hangs from one that works.
    """

    offer: Offer
    lease: Identity
    quota: QuotaState
    model_number: int
    tenant_number: int
    key_number: int
    recorded: Callable[[], Awaitable[None]]
    next_offer: Callable[[], Awaitable[Offer]]
    # Gives the lease back, whose offers no replica accepted, to the router that lent it.
    release: Callable[[], Awaitable[None]]
    # None where the router is older than that.
    priority: Priority | None = None
    # The name of the model that answers; empty where the router is older than other names.
    model_name: str = ""
    retirement: Retirement | None = None
    # The tenant's, by its number; 0 where the router is older than that.
    home_region: int = 0
    hedge: Callable[[], Awaitable[Offer]] | None = None


@dataclass(frozen=True, slots=True)
class CountAdmission:
    """Permission to count a prompt: an offer without a lease, and the key's quota after it."""

    offer: Offer
    quota: QuotaState
    model_number: int
    tenant_number: int
    key_number: int
    model_name: str
    retirement: Retirement | None = None
    home_region: int = 0


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The tokens of a prompt, their ids where they were asked for, and what the model's context holds."""

    tokens: int
    context_tokens: int
    ids: Sequence[int] = ()


class NotReadyReason(StrEnum):
    """Why an edge with a working listener can serve nobody."""

    ROUTER_UNREACHABLE = "router_unreachable"
    NO_REPLICA = "no_replica"


class Router(Protocol):
    """Admission. Every method raises ComptoirError, within a bounded time."""

    async def admit(
        self,
        *,
        key: str,
        request: GenerationRequest,
        request_id: Identity,
        within_seconds: float,
        source: int = 0,
    ) -> Admission:
        """Reserves quota and returns an offer, and a way to more; `source` stands for an address."""
        ...

    async def admit_count(
        self, *, key: str, request: GenerationRequest, request_id: Identity, source: int = 0
    ) -> CountAdmission:
        """Returns an offer to count the prompt of a request, which reserves nothing."""
        ...

    async def list_models(self, *, key: str, request_id: Identity, source: int = 0) -> tuple[Model, ...]:
        """Returns the models of a key under each of their names, retired ones last."""
        ...

    async def not_ready_reason(self) -> NotReadyReason | None:
        """Returns why no request could be served now, or None; never raises."""
        ...


class Standing(IntEnum):
    """What is known of a router; a higher one is asked first."""

    LOST = 0
    # It has left a question open for longer than one that lives does.
    SILENT = 1
    # It has no replica that is ready, and holds what it is asked for one.
    SERVING = 2
    PLACING = 3


class RouterLink(Router, Protocol):
    """One router of several, each of whose questions is asked once."""

    @property
    def standing(self) -> Standing:
        """What was heard of it last; PLACING before that."""
        ...

    @property
    def round_trip_seconds(self) -> float | None:
        """How far away it is, by the looks at it; None while that is not known."""
        ...

    def lose(self) -> None:
        """Takes note that the router did not answer; it is asked at once, and again, whether it serves."""
        ...

    async def look(self) -> None:
        """Asks whether it serves and has a replica, for seconds at most; loses it where it does not serve."""
        ...

    def tell(self, served_again: Callable[[], None]) -> None:
        """Sets what is called each time that a router which was lost serves again."""
        ...


class Generation(Protocol):
    """One generation of one replica, under way."""

    @property
    def counts(self) -> Counts | None:
        """The counts, once `next_delta` returned None."""
        ...

    @property
    def is_delta_waiting(self) -> bool:
        """Whether `next_delta` has something to return at once."""
        ...

    async def next_delta(self, take: Take | None = None) -> Delta | None:
        """Returns what comes next, None when the answer is whole; raises ComptoirError.

        `take` may be given text that comes meanwhile, in order, and what it took is not returned.
        """
        ...

    def cancel(self) -> None:
        """Stops the replica's work at once; harmless at any time."""
        ...


class Generators(Protocol):
    """The replicas."""

    async def start(self, offer: Offer, request: GenerationRequest, *, deadline_seconds: float) -> Generation:
        """Returns once the replica accepted the ticket; raises ComptoirError. The deadline is monotonic."""
        ...

    async def count(
        self, offer: Offer, request: GenerationRequest, *, returns_ids: bool, within_seconds: float
    ) -> TokenCount:
        """Returns how many tokens the prompt of a request has; raises ComptoirError."""
        ...


class UsageReports(Protocol):
    """Where the edge's own events go; never waits and never fails."""

    def report(self, event: EdgeRequest) -> None:
        """Takes an event; drops and counts it where there is no room."""
        ...
