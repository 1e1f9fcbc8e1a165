"""What the stand-ins of the edge's neighbours say, and what they were asked."""

import asyncio
from dataclasses import dataclass, field

from services.edge.domain.generation import SamplingValue
from services.edge.domain.ports import Model, Retirement
from services.edge.domain.timeline import EdgeRequest
from services.kernel.api_keys import make_key
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState

GOOD_KEY = make_key("eu-fr", bytes(range(16)))
LEASE = Identity(7, 9)
# A step of a scripted answer: text, a failure, or a wait until the test sets the event.
Step = str | ComptoirError | asyncio.Event


def record_of(number: int) -> int:
    """The transfer record that the ticket with a number says."""
    return 700 + number


@dataclass
class RouterScript:
    """One router's behaviour."""

    addresses: list[str]
    refusal: ComptoirError | None = None
    release_refusal: ComptoirError | None = None
    quota: QuotaState = field(default_factory=lambda: QuotaState(60, 59, 1000, 900, 1.0, 0.02))
    models: tuple[Model, ...] = (
        Model("org/tiny-eu", "org/tiny-eu", 1_790_000_000, 4096, 1024),
        Model("tiny-eu", "tiny-eu", 1_790_000_001, 4096, 1024),
    )
    # What an admission says of the name that was asked for.
    model_name: str = ""
    retirement: Retirement | None = None
    is_serving: bool = True
    upper_bounds: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    request_ids: list[Identity] = field(default_factory=list)
    # What stood for the clients' addresses.
    sources: list[int] = field(default_factory=list)
    # How the prompts began, of one admission after the other.
    beginnings: list[list[int]] = field(default_factory=list)
    # What was needed of an engine, with each question for a ticket.
    needs: list[int] = field(default_factory=list)
    released: list[Identity] = field(default_factory=list)
    # What holds up the record of an admission, and what becomes of it.
    record_gate: asyncio.Event | None = None
    record_refusal: ComptoirError | None = None
    # Of one admission after the other, before that.
    record_refusals: list[ComptoirError] = field(default_factory=list)
    within_seconds: list[float] = field(default_factory=list)
    # An admission waits for it, as one does that is held.
    hold: asyncio.Event | None = None
    is_left: asyncio.Event = field(default_factory=asyncio.Event)
    # The replicas of one admission after the other, in place of `addresses`.
    addresses_in_turn: list[list[str]] = field(default_factory=list)
    # The replicas of the last admission, and how many tickets of it were signed.
    offered: list[str] = field(default_factory=list)
    tickets: int = 0
    # Who asked for another ticket, what holds that up, and what becomes of it.
    asked_on: list[tuple[str, Identity]] = field(default_factory=list)
    # Whether it tells a replica that hangs from one that works, and how many asked for that reason.
    may_hedge: bool = True
    hedges: int = 0
    has_asked_on: asyncio.Event = field(default_factory=asyncio.Event)
    next_gate: asyncio.Event | None = None
    next_refusal: ComptoirError | None = None

    async def recorded(self) -> None:
        """Returns when an admission is durable."""
        if self.record_gate is not None:
            await self.record_gate.wait()
        if self.record_refusals:
            raise self.record_refusals.pop(0)
        if self.record_refusal is not None:
            raise self.record_refusal

    def first_offer(self) -> tuple[int, str]:
        """The number and the replica of the ticket of the next admission."""
        self.offered = list(self.addresses_in_turn.pop(0) if self.addresses_in_turn else self.addresses)
        self.tickets = 0
        return self.next_offer()

    def next_offer(self) -> tuple[int, str]:
        """The number and the replica of another ticket of the last admission."""
        if self.tickets == len(self.offered):
            raise ComptoirError(Reason.NO_REPLICA)
        self.tickets += 1
        return self.tickets, self.offered[self.tickets - 1]

    async def another_offer(self, key: str, lease: Identity, *, is_hedge: bool = False) -> tuple[int, str]:
        """What the router says to one who asks for another ticket."""
        self.asked_on.append((key, lease))
        self.hedges += is_hedge
        self.has_asked_on.set()
        if self.next_gate is not None:
            await self.next_gate.wait()
        if self.next_refusal is not None:
            raise self.next_refusal
        return self.next_offer()


@dataclass
class GeneratorScript:
    """One replica's behaviour; `before_started` runs first, `steps` then, and the counts end it."""

    before_started: list[Step] = field(default_factory=list)
    steps: list[Step] = field(default_factory=lambda: list[Step](["Bon", "jour", " !"]))
    input_tokens: int = 11
    # Of each vector.
    dimensions: int = 2
    output_tokens: int = 3
    is_length: bool = False
    texts: list[str] = field(default_factory=list)
    # Of prompts in place of chats: texts, or token ids.
    prompts: list[str | list[int]] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    seeds: list[SamplingValue | None] = field(default_factory=list)
    has_been_asked: asyncio.Event = field(default_factory=asyncio.Event)
    has_played: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class UsageScript:
    """What the edge reported."""

    events: list[EdgeRequest] = field(default_factory=list)
