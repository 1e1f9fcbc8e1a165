"""A replica as the router knows it: who it is, how busy it says it is, and what was sent there."""

from dataclasses import dataclass
from enum import IntEnum

from services.router.domain.lease import Process


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
    """How busy a replica said it was; `age_seconds` is how old its engine's numbers were when it said so.

    `open_requests` is how many requests it has, None where it does not say. Its engine may count one as many:
    each choice and each input.
    """

    running_requests: int
    waiting_requests: int
    kv_usage_permille: int
    age_seconds: float
    is_draining: bool
    open_requests: int | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica as the router knows it.

    `in_flight` counts the requests that this router sent there; `clock_offset_seconds` says how far its
    clock is ahead of the router's, None where it does not say its time. `is_drain_wanted` says that an
    operator has asked for its drain, and that it has not said so itself yet.
    """

    registration: Registration
    load: Load | None
    reported_at_seconds: float
    in_flight: int
    registered_at_seconds: float = 0.0
    clock_offset_seconds: float | None = None
    is_drain_wanted: bool = False


class State(IntEnum):
    """Whether a replica gets requests, or why not; the numbers of the schema's ReplicaState."""

    READY = 1
    STARTING = 2
    SILENT = 3
    DRAINING = 4
    CLOCK_WRONG = 5


def open_requests(replica: Replica) -> int:
    """Returns the requests that the replica has: as it said, or as this router sent, the larger."""
    if replica.load is None or replica.load.open_requests is None:
        return outstanding(replica)
    return max(replica.in_flight, replica.load.open_requests)


def outstanding(replica: Replica) -> int:
    """Returns the work that it has: as its engine counts, or as this router sent, the larger."""
    if replica.load is None:
        return replica.in_flight
    return max(replica.in_flight, replica.load.running_requests + replica.load.waiting_requests)
