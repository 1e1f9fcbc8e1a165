"""A router and replicas in memory that say what they say after so many seconds, for tests in virtual time."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.edge.domain.generation import Counts, Delta, FinishReason, GenerationRequest
from services.edge.domain.ports import Admission, Offer, Take, TokenCount
from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import QuotaState
from tests.services.edge.memory import offer_of
from tests.services.edge.scripts import LEASE

NEVER = math.inf


async def passed(seconds: float) -> None:
    """Returns after so many seconds, or never."""
    await (asyncio.Event().wait() if seconds == NEVER else asyncio.sleep(seconds))


@dataclass
class TimedReplica:
    """Seconds from being asked to accepting, and from that to its first token, or to its failure."""

    accepts: float = 0.0
    speaks: float = 0.0
    failure: Reason | None = None
    # How many of its calls have neither ended nor been cancelled.
    open: int = 0
    asked: int = 0


class TimedCall:
    """The Generation port: one text and the end."""

    def __init__(self, name: str, replica: TimedReplica) -> None:
        self._name, self._replica = name, replica
        self._said: list[Delta] = []
        self._is_open = True
        self.counts: Counts | None = None
        replica.open += 1

    @property
    def is_delta_waiting(self) -> bool:
        return False

    async def next_delta(self, take: Take | None = None) -> Delta | None:
        del take
        if not self._said:
            await passed(self._replica.speaks)
            if self._replica.failure is not None:
                self.cancel()
                raise ComptoirError(self._replica.failure)
            self._said.append(Delta(self._name))
            return self._said[-1]
        if self.counts is None:
            self.counts = Counts(1, 0, 1)
            self.cancel()
            return Delta(finish=FinishReason.STOP)
        return None

    def cancel(self) -> None:
        self._replica.open -= self._is_open
        self._is_open = False


@dataclass
class TimedGenerators:
    """The Generators port."""

    replicas: dict[str, TimedReplica]

    async def start(self, offer: Offer, request: GenerationRequest, *, deadline_seconds: float) -> TimedCall:
        del request, deadline_seconds
        replica = self.replicas[offer.generator_address]
        replica.asked += 1
        call = TimedCall(offer.generator_address, replica)
        try:
            await passed(replica.accepts)
        except BaseException:
            call.cancel()
            raise
        return call

    async def count(
        self, offer: Offer, request: GenerationRequest, *, returns_ids: bool, within_seconds: float
    ) -> TokenCount:
        raise NotImplementedError


@dataclass
class TimedRouter:
    """Another ticket of one lease for each replica; hedges are answered after a time, or refused."""

    replicas: Sequence[TimedReplica]
    hedges: list[tuple[float, Reason | None]] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    open: int = 0
    _tickets: int = 0

    def admission(self) -> Admission:
        async def at_once() -> None:
            """Takes no time."""

        return Admission(
            self._offer(), LEASE, QuotaState(), 1, 1, 1, at_once, self.next_offer, at_once, hedge=self.hedge
        )

    async def next_offer(self) -> Offer:
        return self._offer()

    async def hedge(self) -> Offer:
        self.asked_at.append(asyncio.get_running_loop().time())
        seconds, refusal = self.hedges.pop(0) if self.hedges else (0.0, None)
        self.open += 1
        try:
            await passed(seconds)
        finally:
            self.open -= 1
        if refusal is not None:
            raise ComptoirError(refusal)
        return self._offer()

    def _offer(self) -> Offer:
        if self._tickets == 3:
            raise ComptoirError(Reason.LEASE_ENDED)
        if self._tickets == len(self.replicas):
            raise ComptoirError(Reason.NO_REPLICA)
        self._tickets += 1
        return offer_of(self._tickets, f"replica-{self._tickets}")
