"""One request that waits for a silent replica, and the ticket that it gets for another one meanwhile."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.edge.domain.hedging import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    HedgeOutcome,
    Hedging,
)
from services.edge.domain.ports import Offer
from services.kernel.backoff import Backoff
from services.kernel.errors import ComptoirError, Reason

_Got = TypeVar("_Got")


class ReplicaLeftError(Exception):
    """Another replica may be asked in place of the one that was waited for, which is left."""

    def __init__(self, offer: Offer) -> None:
        super().__init__()
        self.offer = offer


class Hedge:
    """Asks for another ticket, again and again, while a replica says nothing, and then interrupts the wait.

    `ask` is None where nobody is to be left. A replica is left only once there is a ticket for another one,
    and one replica is asked at a time. What comes first counts: the replica's word, or the ticket.
    """

    def __init__(self, hedging: Hedging, ask: Callable[[], Awaitable[Offer]] | None) -> None:
        self._hedging = hedging
        self._ask = ask if hedging.first_token_seconds else None
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        self._not_before = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[HedgeOutcome] | None = None
        self._offer: Offer | None = None
        self._limit: asyncio.Timeout | None = None
        hedging.budget.earn()

    async def wait(self, word: Awaitable[_Got], due_at: float) -> _Got:
        """Returns what a replica says; raises ReplicaLeftError where there is another ticket before that.

        From `due_at` on, on the clock of the loop, another ticket is asked for.
        """
        if self._ask is None:
            return await word
        self._not_before = max(self._not_before, due_at)
        try:
            async with asyncio.timeout(None) as self._limit:
                self._interrupt_or_arm()
                return await word
        except TimeoutError:
            offer = self._taken()
            if offer is None:
                raise
            self._hedging.count(HedgeOutcome.MOVED)
            raise ReplicaLeftError(offer) from None
        finally:
            self._limit = None
            self._disarm()

    async def hurried(self) -> Offer | None:
        """Returns the ticket that is there, or on its way, now that the replica failed; None if none is."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        offer = self._taken()
        if offer is not None:
            self._hedging.count(HedgeOutcome.MOVED)
        return offer

    def stop(self) -> None:
        """Asks no more, since the replica spoke or nobody waits; a ticket that came ends by itself."""
        self._disarm()
        asking, offer = self._asking, self._taken()
        if asking is not None:
            # What it spent it gives back itself.
            asking.cancel()
        if offer is not None:
            self._hedging.budget.give_back()
        if asking is not None or offer is not None:
            self._hedging.count(HedgeOutcome.KEPT)
        self._asking = None

    def _taken(self) -> Offer | None:
        offer, self._offer = self._offer, None
        return offer

    def _interrupt_or_arm(self) -> None:
        loop, limit = asyncio.get_running_loop(), self._limit
        if limit is None or self._asking is not None:
            return
        if self._offer is not None:
            limit.reschedule(loop.time())
        elif self._not_before < math.inf:
            self._disarm()
            self._timer = loop.call_at(self._not_before, self._begin)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin(self) -> None:
        self._timer = None
        self._asking = asyncio.get_running_loop().create_task(self._asked())
        self._asking.add_done_callback(self._told)

    def _told(self, asking: "asyncio.Task[HedgeOutcome]") -> None:
        if asking is not self._asking:
            return
        self._asking = None
        outcome = asking.result()
        if outcome is not HedgeOutcome.MOVED:
            self._hedging.count(outcome)
            pause_seconds = self._backoff.next_seconds(jitter=random.random())  # noqa: S311 - spreads questions
            # Where no further ticket is signed, that is for ever.
            self._not_before = max(self._not_before, asyncio.get_running_loop().time() + pause_seconds)
        self._interrupt_or_arm()

    async def _asked(self) -> HedgeOutcome:
        """Asks once; MOVED says that there is a ticket."""
        budget = self._hedging.budget
        if self._ask is None or not budget.spend():
            return HedgeOutcome.OVER_BUDGET
        try:
            self._offer = await self._ask()
        except ComptoirError as refusal:
            budget.give_back()
            if refusal.reason is Reason.LEASE_ENDED:
                self._not_before = math.inf
            is_busy = refusal.reason is Reason.REPLICA_OVERLOADED
            return HedgeOutcome.BUSY if is_busy else HedgeOutcome.NOBODY_ELSE
        except BaseException:
            budget.give_back()
            raise
        return HedgeOutcome.MOVED
