"""A quota lease and what can happen to it: what a lease store is told, what it answers, what it keeps.

Every length of time is told as one, in seconds; when it begins, the store says by its own clock.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from services.contract.ticket import TicketClaims
from services.kernel.identity import Identity
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.quota import Held, Payer, Quotas

# Of one lease, one after the other.
MAX_TICKETS: Final = 3
# How long a lease waits for its caller to ask for another ticket, once no ticket of it can be used any more.
HANDED_BACK_SECONDS: Final = 2.0
# How often in a row a request is lent what it had without asking. An honest caller gives up once three
# replicas that had accepted it were lost; those that nobody reached come on top.
MOST_ADMITTED_AGAIN: Final = 8
# A store that is several servers keeps each part of the tenants, and all that is a tenant's, on one of them.
PARTITIONS: Final = 16
# The identity of what has none.
NOBODY: Final = Identity(0, 0)


def lease_of(tenant: int) -> Identity:
    """Returns the identity of a new lease of a tenant, that nobody can guess and that names its partition."""
    high, low = Identity.random()
    return Identity(high - high % PARTITIONS + partition_of(tenant), low)


def partition_of(number: int) -> int:
    """Returns the partition of a tenant's number, or of the upper half of the identity of a lease."""
    return number % PARTITIONS


class RequestPart(NamedTuple):
    """What is admitted, and admitted again where it lost its replica: a request, or a part of one, from 1."""

    request_id: Identity
    part: int = 0


NO_REQUEST: Final = RequestPart(NOBODY)


class Process(NamedTuple):
    """One process of a replica: its number, and its incarnation, 0 where it is not known."""

    replica: int
    incarnation: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one request may use at most, and for how long if no replica accepts it.

    `is_again` says that the request was admitted before, and that every process that may hold its earlier
    lease is away: its place and amount are taken without asking, once for each lease, and no request. Behind
    MOST_ADMITTED_AGAIN of them in a row the quota is asked as for any other.

    `is_lent` says that a router lent it while it could not reach the store: it takes all that it takes
    without asking, once, however often it is said and whatever became of the lease since.
    """

    lease_id: Identity
    payer: Payer
    quotas: Quotas
    amount: Amount
    lasts_seconds: float
    request: RequestPart = NO_REQUEST
    is_again: bool = False
    is_lent: bool = False


@dataclass(frozen=True, slots=True)
class Earlier:
    """The lease that a request had before, and the processes that hold or held it, or may accept it.

    There are none where a replica has handed it back: it waits for its caller to ask for another ticket.
    """

    lease_id: Identity
    holders: tuple[Process, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """A ticket that is about to be signed, for which process, and for how long it can count.

    `quotas` are asked where another ticket of the lease is held; None where all that hold one are away.
    """

    claims: TicketClaims
    process: Process
    lasts_seconds: float
    quotas: Quotas | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """What another ticket of a lease is drafted from: the one before, who had one, and who holds one."""

    claims: TicketClaims
    processes: tuple[Process, ...]
    holders: tuple[Process, ...] = ()


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a replica says of a ticket that it accepted; `permitted` is what the ticket permits at most."""

    lease_id: Identity
    ticket_id: Identity
    payer: Payer
    permitted: Amount
    process: Process
    lasts_seconds: float


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an accepted ticket's request really used.

    A replica of an older version names neither ticket, key nor tenant. `is_unserved` says that the
    caller may go on with its next ticket of the lease, `has_output` that the engine answered. Its tokens
    are those of prompt and answer, cached ones included.
    """

    lease_id: Identity
    ticket_id: Identity
    payer: Payer
    used: Amount
    process: Process
    is_unserved: bool = False
    has_output: bool = False
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def charged(self) -> Amount:
        """Returns what is charged: a request that nobody served costs nothing."""
        return NOTHING if self.is_unserved else self.used


class Accepted(Enum):
    """What an acceptance found, by the name of the transition that is counted."""

    RESERVED = "accepted"
    """The reservation, which it takes over."""
    NOTHING = "accepted_unreserved"
    """No reservation: another ticket has it, or it ended, or this router has restarted."""
    LOST = "recovered"
    """A place that was given up, because the replica was thought to be gone."""
    KNOWN = "accepted_again"
    """Itself, said again."""
    ENDED = "accepted_late"
    """A ticket that is settled."""


class Settled(Enum):
    """What a settlement found, by the name of the transition that is counted."""

    OPEN = "settled"
    """A place, which is free now."""
    LOST = "settled_after_loss"
    """A place that had been given up; its tokens are what was used from now on."""
    NOTHING = "settled_unreserved"
    """Neither; what was used is charged."""
    HANDED_BACK = "handed_back"
    """A place, which is reserved again: another ticket is signed, or may be asked for."""
    ENDED = "settled_again"
    """Itself, said again."""


class Ending(Enum):
    """How a place became free, by the name of the transition that is counted."""

    SETTLED = "settled"
    RELEASED = "released"
    CANCELLED = "cancelled"
    LOST = "lost"
    EXPIRED = "expired"


class Opening(Enum):
    """How a place was first taken, by the name of the transition that is counted."""

    RESERVED = "reserved"


Transition: TypeAlias = Opening | Accepted | Settled | Ending


@dataclass(frozen=True, slots=True)
class Freed:
    """A place that is free again; `holder` is the lease while nobody had accepted it, then the ticket."""

    ending: Ending
    payer: Payer
    holder: Identity


@dataclass(slots=True)
class Hold:
    """What an accepted ticket holds: a place while its process lives, and what is held for it."""

    process: Process
    held: Held
    expires_at_seconds: float


@dataclass(slots=True)
class Lease:
    """What is known of one lease.

    While it is reserved it holds one place and what is `held`; the first accepted ticket takes both
    over. A ticket that is signed after that reserves another place, and every further one that is
    accepted without a reservation is charged for itself. A hold is lost when its process is gone: it
    gives up its place and keeps what it holds. `last` is the ticket that was signed last, None where no
    further one is to be signed, and `processes` are those that had one.
    """

    lease_id: Identity
    payer: Payer
    held: Held
    expires_at_seconds: float
    is_reserved: bool = True
    is_released: bool = False
    # A process that had a ticket is gone: it may have accepted it and told nobody.
    is_doubtful: bool = False
    last: TicketClaims | None = None
    processes: tuple[Process, ...] = ()
    request: RequestPart = NO_REQUEST
    # The lease of the same request before this one, how many in a row up to this one were lent without asking
    # because of the one before, and whether one was lent so because of this one.
    earlier: Identity = NOBODY
    again: int = 0
    is_followed: bool = False
    issued: dict[Identity, Process] = field(default_factory=dict)
    accepted: dict[Identity, Hold] = field(default_factory=dict)
    lost: dict[Identity, Hold] = field(default_factory=dict)

    @property
    def may_go_on(self) -> bool:
        """Tells whether another ticket of it may be signed."""
        return self.last is not None and len(self.processes) < MAX_TICKETS

    @property
    def is_over(self) -> bool:
        """Tells whether it holds nothing any more."""
        return not (self.is_reserved or self.accepted or self.lost)

    def is_next(self, claims: TicketClaims) -> bool:
        """Tells whether that is the ticket that may be signed now: no router signs one twice."""
        is_first = not self.processes
        return (is_first or self.may_go_on) and claims.attempt == len(self.processes) + 1

    def note(self, issue: Issue, now_seconds: float) -> None:
        """Notes a ticket, with which its time begins anew."""
        self.last = issue.claims
        self.processes = (*self.processes, issue.process)
        self.issued[issue.claims.ticket_id] = issue.process
        self.expires_at_seconds = now_seconds + issue.lasts_seconds

    def ticket_on(self, replica: int) -> Identity:
        """Returns the ticket for a replica, or an identity that is not set."""
        known = (self.accepted, self.lost)
        for ticket_id, hold in (pair for holds in known for pair in holds.items()):
            if hold.process.replica == replica:
                return ticket_id
        found = (ticket_id for ticket_id, process in self.issued.items() if process.replica == replica)
        return next(found, NOBODY)

    @property
    def holders(self) -> tuple[Process, ...]:
        """Returns the processes that hold it, that held it until they were gone, and that may accept it."""
        holds = (*self.accepted.values(), *self.lost.values())
        return tuple({*self.issued.values(), *(hold.process for hold in holds)})
