"""Where a request may run: filters replicas, then orders those that remain by how much they have to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.router.domain.lease import Process

MAX_OFFERS: Final = 3
_RETRY_SECONDS: Final = 1.0
_PERMILLE: Final = 1000
# Scores closer than this are equal: the rotation decides between them.
_SCORE_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Registration:
    """A replica's identity and limits; model and region are catalog numbers, 0 KV blocks means unknown.

    `incarnation` is another number for every process of the replica, 0 means unknown.
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

    @property
    def process(self) -> Process:
        """Returns the process that registered."""
        return Process(self.replica, self.incarnation)


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a replica said it was; `age_seconds` is how old its numbers were when it said so."""

    running_requests: int
    waiting_requests: int
    kv_usage_permille: int
    age_seconds: float
    is_draining: bool


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica as the router knows it.

    `in_flight` counts the requests that this router sent there; `clock_offset_seconds` says how far its
    clock is ahead of the router's, None where it does not say its time.
    """

    registration: Registration
    load: Load | None
    reported_at_seconds: float
    in_flight: int
    registered_at_seconds: float = 0.0
    clock_offset_seconds: float | None = None


class State(IntEnum):
    """Whether a replica gets requests, or why not; the numbers of the schema's ReplicaState."""

    READY = 1
    STARTING = 2
    SILENT = 3
    DRAINING = 4
    CLOCK_WRONG = 5


@dataclass(frozen=True, slots=True)
class ReadyTerms:
    """When a replica counts as silent, and how far its clock may be off so that it takes our tickets."""

    report_timeout_seconds: float
    clock_tolerance_seconds: float

    def state_of(self, replica: Replica, now_seconds: float) -> State:
        """Returns the replica's state; of several reasons the one that explains the others."""
        if replica.load is None:
            return State.STARTING
        if now_seconds - replica.reported_at_seconds > self.report_timeout_seconds:
            return State.SILENT
        if replica.load.is_draining:
            return State.DRAINING
        return State.READY if self.is_clock_right(replica.clock_offset_seconds) else State.CLOCK_WRONG

    def is_clock_right(self, offset_seconds: float | None) -> bool:
        """Returns whether a replica with that offset takes our tickets; one that says no time is trusted."""
        return offset_seconds is None or abs(offset_seconds) <= self.clock_tolerance_seconds


@dataclass(frozen=True, slots=True)
class Placement:
    """A replica that may serve the request, and the KV-cache blocks predicted for it (0 if unknown)."""

    process: Process
    address: str
    predicted_kv_blocks: int

    @property
    def replica(self) -> int:
        """Returns the replica's number."""
        return self.process.replica


def predicted_kv_blocks(tokens: int, registration: Registration) -> int:
    """Returns the KV-cache blocks that the tokens fill on that replica; 0 where it does not say."""
    if registration.kv_block_tokens == 0:
        return 0
    return -(-min(tokens, registration.context_tokens) // registration.kv_block_tokens)


def check_fit(replicas: Sequence[Replica], tokens: int) -> None:
    """Raises CONTEXT_TOO_LONG if there are replicas and none could ever hold the tokens."""
    if replicas and not any(_fits(replica.registration, tokens) for replica in replicas):
        largest_tokens = max(_cache_tokens(replica.registration) for replica in replicas)
        raise ComptoirError(Reason.CONTEXT_TOO_LONG, numbers=Numbers(limit=largest_tokens))


def place(
    replicas: Sequence[Replica],
    tokens: int,
    *,
    now_seconds: float,
    terms: ReadyTerms,
    rotation: int,
) -> list[Placement]:
    """Returns up to three of a pool's replicas, least work first; equals take turns by `rotation`.

    Raises NO_REPLICA if none is ready, and REPLICA_OVERLOADED if those that are ready are full.
    """
    ready = [
        replica
        for replica in replicas
        if terms.state_of(replica, now_seconds) is State.READY and _fits(replica.registration, tokens)
    ]
    if not ready:
        raise ComptoirError(Reason.NO_REPLICA, retry_after_seconds=_RETRY_SECONDS)
    free = [replica for replica in ready if outstanding(replica) < replica.registration.max_requests]
    if not free:
        raise ComptoirError(Reason.REPLICA_OVERLOADED, retry_after_seconds=_RETRY_SECONDS)
    by_number = sorted(free, key=lambda replica: replica.registration.replica)
    turn = rotation % len(by_number)
    ordered = sorted(
        by_number[turn:] + by_number[:turn], key=lambda replica: score(replica, terms.report_timeout_seconds)
    )
    return [
        Placement(
            replica.registration.process,
            replica.registration.address,
            predicted_kv_blocks(tokens, replica.registration),
        )
        for replica in ordered[:MAX_OFFERS]
    ]


def outstanding(replica: Replica) -> int:
    """Returns the requests that the replica holds: as it said, or as this router sent, the larger."""
    if replica.load is None:
        return replica.in_flight
    return max(replica.in_flight, replica.load.running_requests + replica.load.waiting_requests)


def score(replica: Replica, stale_after_seconds: float) -> float:
    """Returns how much work lies before a new request, in shares of the replica's capacity; low is better."""
    capacity = replica.registration.max_requests
    load = replica.load
    if load is None or _is_silent(load, stale_after_seconds):
        # Low load of a silent engine does not mean idle: its cache counts as full.
        return round(outstanding(replica) / capacity + 1.0, _SCORE_DIGITS)
    work = (outstanding(replica) + load.waiting_requests) / capacity
    return round(work + load.kv_usage_permille / _PERMILLE, _SCORE_DIGITS)


def _is_silent(load: Load, stale_after_seconds: float) -> bool:
    # An engine that held nothing has nothing to say, however long ago it last made a step. What was
    # sent there since is no reason to expect that it spoke: its report came before.
    held = load.running_requests + load.waiting_requests
    return held > 0 and load.age_seconds > stale_after_seconds


def _cache_tokens(registration: Registration) -> int:
    return registration.kv_blocks * registration.kv_block_tokens


def _fits(registration: Registration, tokens: int) -> bool:
    return registration.kv_blocks == 0 or predicted_kv_blocks(tokens, registration) <= registration.kv_blocks
