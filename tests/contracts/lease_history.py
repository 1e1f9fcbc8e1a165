"""Random histories of several routers on one lease store: calls side by side, cancellations, crashes.

What is held and used is kept beside the store, as callers and replicas know it: a place counts from when it
was lent until somebody begins to give it back.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeVar

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.amount import Amount
from services.router.domain.lease import (
    Acceptance,
    Accepted,
    Ending,
    Issue,
    Process,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Payer, Quotas
from services.router.domain.tenancy import UNLIMITED, Quota
from tests.contracts.leases import TENANT, claims

Got = TypeVar("Got")

PAYER: Final = Payer(TENANT, 1)
QUOTAS: Final = (
    Quota(requests_per_minute=60, tokens_per_minute=6_000, concurrency=3),
    Quota(requests_per_minute=600, tokens_per_minute=600_000, concurrency=6),
    Quota(requests_per_minute=60),
    Quota(tokens_per_minute=6_000),
    Quota(concurrency=6),
)
RESERVED_SECONDS: Final = 12.0
# Beyond every history: what replicas hold, they settle.
ACCEPTED_SECONDS: Final = 100_000.0
_MINUTE_SECONDS: Final = 60.0


class Region(Protocol):
    """Routers that share a store, and what may happen to them."""

    routers: list[LeaseStore]

    async def advance(self, seconds: float) -> None:
        """Lets time pass."""
        ...

    async def crash(self, number: int) -> bool:
        """Puts a new router in the place of one; tells whether that knew what nobody else does."""
        ...


@dataclass
class Held:
    """A ticket on a replica of its own."""

    ticket_id: Identity
    process: Process
    used_tokens: int
    # A replica has it, and says so until it is heard; then it was.
    is_said: bool = False
    is_accepted: bool = False
    is_settled: bool = False
    is_counted: bool = False


@dataclass
class Life:
    """A lease as its caller and its replicas know it."""

    lease_id: Identity
    tokens: int
    until_seconds: float
    tickets: list[Held] = field(default_factory=list)
    is_lent: bool = False
    is_accepted: bool = False
    # Somebody began to give it back: from here on it may be free.
    is_ending: bool = False
    # It was charged without a reservation, of which no limit was asked.
    is_forced: bool = False
    is_lost: bool = False
    # A router crashed that may have been the only one to know of it.
    is_forgotten: bool = False
    settled_tokens: int = 0

    def holds(self, now_seconds: float) -> bool:
        return self.is_lent and not self.is_ending and (self.is_accepted or now_seconds < self.until_seconds)

    def charged_tokens(self, now_seconds: float) -> int:
        return self.tokens if self.holds(now_seconds) else self.settled_tokens


class History:
    """One history by its seed; raises where more is lent than there is."""

    def __init__(self, region: Region, seed: int, *, outages: bool = False) -> None:
        self.region = region
        self.random = random.Random(seed)
        self.quota = self.random.choice(QUOTAS)
        # That of its only key is the tenant's limit as well as of the key.
        self.quotas = self.random.choice(
            [Quotas(self.quota, UNLIMITED), Quotas(UNLIMITED, self.quota), Quotas(self.quota, self.quota)]
        )
        # What was lent before an outage runs on beside what all shares are.
        self.most_at_once = self.quota.concurrency * (2 if outages else 1)
        self.seconds = 0.0
        self.lives: list[Life] = []
        self.lent: list[Life] = []
        self.requests = self.cancelled = 0
        self.refusals: set[Reason] = set()
        self.has_forgotten = False

    async def run(self, rounds: int, events: Sequence[Callable[[], Awaitable[None]]] = ()) -> None:
        """Lets things happen, some of them at the same time."""
        for _ in range(rounds):
            if events and self.random.random() < 0.15:
                await self.random.choice(events)()
            await self._together([self._something() for _ in range(self.random.randint(1, 4))])

    async def finish(self) -> None:
        """Has replicas settle all that they hold, and lets end what nobody accepted."""
        running = [(life, held) for life in self.lives for held in life.tickets if held.is_said]
        for life, held in running:
            while not held.is_settled:
                await self._settle(life, held, self.router())
        # What a router alone knew and nobody says again ends by its time.
        await self.pass_time(ACCEPTED_SECONDS if self.has_forgotten else 3 * RESERVED_SECONDS)
        for router in self.region.routers:
            # One that has just found the store away asks it again in a moment.
            while not await self.expire_at(router):
                continue

    async def pass_time(self, seconds: float) -> None:
        self.seconds += seconds
        await self.region.advance(seconds)

    async def expire(self) -> None:
        for router in self.region.routers:
            await self.expire_at(router)

    async def wait(self) -> None:
        """Time passes: a moment, or until reservations end."""
        await self.pass_time(self.random.choice([0.25, 1.0, 5.0, RESERVED_SECONDS]))
        await self.expire_at(self.router())

    async def expire_at(self, router: LeaseStore) -> bool:
        """A router frees what ended, and undoes what it could not undo before; tells whether it could."""
        ended = await self._quietly(router.expire())
        for freed in ended or ():
            if freed.ending is Ending.CANCELLED and any(life.lease_id == freed.holder for life in self.lent):
                self.requests -= 1
                self.cancelled += 1
        return ended is not None

    async def crash(self) -> None:
        """A router dies in the middle of what it is asked, and another one starts."""
        number = self.random.randrange(len(self.region.routers))
        dying = self.region.routers[number]
        asked = [asyncio.ensure_future(self._something(dying)) for _ in range(3)]
        await asyncio.sleep(0)
        if await self.region.crash(number):
            self.has_forgotten = True
            for life in self.lives:
                life.is_forgotten = life.is_forgotten or dying.is_lent_here(life.lease_id)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    def router(self) -> LeaseStore:
        return self.random.choice(self.region.routers)

    @property
    def settled_tokens(self) -> int:
        return sum(life.settled_tokens for life in self.lives)

    async def _together(self, acts: Sequence[Awaitable[None]]) -> None:
        tasks = [asyncio.ensure_future(act) for act in acts]
        if self.random.random() < 0.2:
            await asyncio.sleep(0)
            self.random.choice(tasks).cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    def _something(self, router: LeaseStore | None = None) -> Awaitable[None]:
        router = router or self.router()
        lately = self.lent[-8:]
        if not lately or self.random.random() < 0.35:
            return self._reserve(router)
        life, chosen = self.random.choice(lately), self.random.random()
        if not life.tickets or (chosen < 0.1 and len(life.tickets) < 3):
            return (self._cancel if chosen > 0.8 else self._issue)(life, router)
        if chosen > 0.85:
            return self._release(life, router)
        held = self.random.choice(life.tickets)
        does = self._accept if chosen < 0.4 else self._settle if chosen < 0.75 else self._lose
        return does(life, held, router)

    async def _reserve(self, router: LeaseStore) -> None:
        lease_id = Identity(self.random.getrandbits(60) << 4, len(self.lives))
        life = Life(lease_id, self.random.randint(0, 900), self.seconds + RESERVED_SECONDS)
        self.lives.append(life)
        try:
            await router.reserve(
                Reservation(lease_id, PAYER, self.quotas, Amount(life.tokens), RESERVED_SECONDS)
            )
        except ComptoirError as refusal:
            self.refusals.add(refusal.reason)
            return
        life.is_lent = True
        self.lent.append(life)
        self.requests += 1
        self._check()

    def _check(self) -> None:
        minutes, now = self.seconds / _MINUTE_SECONDS, self.seconds
        at_once = sum(life.holds(now) for life in self.lives if not (life.is_forced or life.is_forgotten))
        if self.quota.concurrency:
            assert at_once <= self.most_at_once, "more places are lent than there are"
        if self.has_forgotten:
            return
        if self.quota.requests_per_minute:
            assert self.requests <= self.quota.requests_per_minute * (1 + minutes), "too many requests"
        tokens = sum(life.charged_tokens(now) for life in self.lives if not life.is_forced)
        if self.quota.tokens_per_minute:
            assert tokens <= self.quota.tokens_per_minute * (1 + minutes), "too many tokens"

    async def _issue(self, life: Life, router: LeaseStore) -> None:
        attempt, number = len(life.tickets) + 1, self.random.getrandbits(40)
        held = Held(Identity(2, number), Process(number, 1), self.random.randint(0, life.tokens))
        signed = replace(claims(0, attempt), lease_id=life.lease_id, ticket_id=held.ticket_id)
        try:
            is_anew = await router.issue(Issue(signed, held.process, RESERVED_SECONDS))
        except ComptoirError as refusal:
            self.refusals.add(refusal.reason)
            return
        life.is_forced = life.is_forced or is_anew
        life.until_seconds = self.seconds + RESERVED_SECONDS
        life.tickets.append(held)

    async def _accept(self, life: Life, held: Held, router: LeaseStore) -> None:
        # It may be done although nobody hears it.
        held.is_said = True
        life.is_forced = life.is_forced or life.is_ending or self.seconds >= life.until_seconds
        acceptance = Acceptance(
            life.lease_id, held.ticket_id, PAYER, Amount(life.tokens), held.process, ACCEPTED_SECONDS
        )
        found = await self._quietly(router.accept(acceptance))
        life.is_forced = life.is_forced or found is Accepted.NOTHING
        held.is_accepted = held.is_accepted or found is not None
        life.is_accepted = life.is_accepted or held.is_accepted

    async def _settle(self, life: Life, held: Held, router: LeaseStore) -> None:
        life.is_ending = held.is_said = True
        settlement = Settlement(life.lease_id, held.ticket_id, PAYER, Amount(held.used_tokens), held.process)
        answer = await self._quietly(router.settle(settlement))
        if answer is None:
            return
        # One that overtook it may have said first that it has ended.
        if answer[0] is not Settled.ENDED:
            assert not held.is_counted or self.has_forgotten, "a settlement counted twice"
            held.is_counted = True
            life.is_forced = life.is_forced or answer[0] is Settled.NOTHING
        if not held.is_settled:
            held.is_settled = life.is_accepted = True
            life.settled_tokens += held.used_tokens

    async def _lose(self, life: Life, held: Held, router: LeaseStore) -> None:
        if held.is_accepted:
            life.is_ending = life.is_lost = True
            await self._quietly(router.lose(held.process))

    async def _release(self, life: Life, router: LeaseStore) -> None:
        if not life.is_accepted:
            life.is_ending = True
        await self._quietly(router.release(life.lease_id))

    async def _cancel(self, life: Life, router: LeaseStore) -> None:
        life.is_ending = True
        if await self._quietly(router.cancel(life.lease_id)) is not None:
            self.requests -= 1
            self.cancelled += 1

    async def _quietly(self, call: Awaitable[Got]) -> Got | None:
        try:
            return await call
        except ComptoirError as error:
            if error.reason is not Reason.QUOTA_UNAVAILABLE:
                raise
            return None
