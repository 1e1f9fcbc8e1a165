"""One request of the asyncio client that waits for a silent replica, and the ticket that it gets."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from comptoir.client.errors import ComptoirError
from comptoir.client.hedging import Hedging, Questions
from comptoir.error.v1.error_reason_pb2 import ERROR_REASON_UNSPECIFIED
from comptoir.router.v1.router_pb2 import TicketOffer

Ask: TypeAlias = Callable[[], Awaitable[TicketOffer]]
_Got = TypeVar("_Got")


class ReplicaLeftError(Exception):
    """Another replica may be asked in place of the one that was waited for, which is left."""

    def __init__(self, offer: TicketOffer) -> None:
        super().__init__()
        self.offer = offer


class Hedge:
    """Asks for another ticket, again and again, while a replica says nothing, and then interrupts the wait.

    A replica is left only once there is a ticket for another one, and one replica is asked at a time. What
    comes first counts: the replica's word, or the ticket.
    """

    def __init__(self, hedging: Hedging) -> None:
        self._hedging = hedging
        # Set while somebody waits: a request that is dropped half read is not held by it.
        self._ask: Ask | None = None
        self._questions = Questions(hedging)
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._offer: TicketOffer | None = None
        self._limit: asyncio.Timeout | None = None
        self._is_accepted = False

    def begin(self) -> None:
        """Notes that a replica is asked for the answer now."""
        self._questions.begin(asyncio.get_running_loop().time())

    async def wait(self, word: Awaitable[_Got], ask: Ask, *, is_accepted: bool) -> _Got:
        """Returns what a replica says; raises ReplicaLeftError where `ask` has another ticket before that."""
        self._ask, self._is_accepted = ask, is_accepted
        try:
            async with asyncio.timeout(None) as self._limit:
                self._interrupt_or_arm()
                return await word
        except TimeoutError:
            offer = self._taken()
            if offer is None:
                raise
            raise ReplicaLeftError(offer) from None
        finally:
            self._limit = self._ask = None
            self._disarm()

    async def hurried(self) -> TicketOffer | None:
        """Returns the ticket that is there, or on its way, now that the replica failed; None if none is."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        return self._taken()

    def stop(self) -> None:
        """Asks no more, since the replica spoke or nobody waits; a ticket that came ends by itself."""
        self._disarm()
        asking, self._asking = self._asking, None
        if asking is not None:
            # What it spent it gives back itself.
            asking.cancel()
        if self._taken() is not None:
            self._hedging.budget.give_back()

    def _taken(self) -> TicketOffer | None:
        offer, self._offer = self._offer, None
        return offer

    def _interrupt_or_arm(self) -> None:
        loop, limit = asyncio.get_running_loop(), self._limit
        if limit is None or self._asking is not None:
            return
        if self._offer is not None:
            limit.reschedule(loop.time())
            return
        due_at = self._questions.due_at(is_accepted=self._is_accepted)
        self._disarm()
        if due_at < math.inf:
            self._timer = loop.call_at(due_at, self._begin_asking)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _begin_asking(self) -> None:
        self._timer = None
        if self._ask is None:
            return
        self._asking = asyncio.get_running_loop().create_task(self._asked(self._ask))
        self._asking.add_done_callback(self._told)

    def _told(self, asking: "asyncio.Task[None]") -> None:
        if asking is self._asking:
            self._asking = None
            asking.result()
            self._interrupt_or_arm()

    async def _asked(self, ask: Ask) -> None:
        budget, refused = self._hedging.budget, ERROR_REASON_UNSPECIFIED
        if budget.spend():
            try:
                self._offer = await ask()
            except ComptoirError as refusal:
                budget.give_back()
                refused = refusal.reason
            except BaseException:
                budget.give_back()
                raise
            else:
                return
        now = asyncio.get_running_loop().time()
        self._questions.refused(refused, now, jitter=random.random())  # noqa: S311 - spreads questions
