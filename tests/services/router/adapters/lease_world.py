"""Leases of a store and a model of them: nothing is oversold, nothing leaks, every token is somewhere.

Two keys of one tenant, on a clock that goes on over the ends of days and months, through restarts.
"""

import itertools
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from services.kernel.clock import ManualClock
from services.kernel.identity import Identity
from services.kernel.quota import Spending
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.lease import (
    PARTITIONS,
    Ending,
    Freed,
    Issue,
    Process,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Payer, Quotas
from services.router.domain.spending import Subject, day_of, month_of
from services.router.domain.spending_book import SpendingBook
from services.router.domain.tenancy import Quota
from tests.contracts.leases import claims
from tests.fakes.at_once import at_once
from tests.fakes.spending import MemoryRecords
from tests.services.router.adapters.lease_model import Model, Place, Sums, subjects

TENANT = PARTITIONS
PAYERS = (Payer(TENANT, 1), Payer(TENANT, 2))
CENT = 10_000_000
OF_KEY = Quota(
    requests_per_minute=60,
    tokens_per_minute=2_000,
    concurrency=3,
    tokens_per_day=4_000,
    tokens_per_month=9_000,
    money_per_month_cents=90,
)
OF_TENANT = Quota(
    requests_per_minute=90,
    tokens_per_minute=3_000,
    concurrency=4,
    tokens_per_day=6_000,
    tokens_per_month=12_000,
    money_per_month_cents=120,
)
LIMITS = Quotas(OF_KEY, OF_TENANT)
RESERVED_SECONDS, ACCEPTED_SECONDS = 12.0, 50.0
REMEMBERED_SECONDS = 660.0
REPLICAS = (1, 2, 3)
TOLERANCE = 1e-6
Got = TypeVar("Got")


class LeaseWorld(RuleBasedStateMachine):
    """The store and the model, and what both have to agree on after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(monotonic_seconds=1_000.0)
        self.records, self.sums = MemoryRecords(), Sums()
        self.start()
        self.numbers = itertools.count(1)
        self.incarnations = dict.fromkeys(REPLICAS, 1)
        self.models: dict[Identity, Model] = {}
        self.places: dict[Identity, Place] = {}
        self.lost: dict[Identity, Place] = {}
        self.ended: dict[Identity, float] = {}

    def start(self) -> None:
        """Begins without a memory, as after a kill; what was spent is on record."""
        self.started_seconds = self.now_seconds
        self.book = SpendingBook(self.records)
        self.memory = MemoryLeases(self.clock, self.book)
        self.store: LeaseStore = self.memory

    @property
    def day(self) -> int:
        return day_of(self.clock.wall_microseconds() // 1000)

    @property
    def now_seconds(self) -> float:
        return self.clock.monotonic_seconds()

    def process(self, replica: int) -> Process:
        return Process(replica, self.incarnations[replica])

    def done(self, call: Coroutine[Any, Any, Got]) -> Got:
        """What a call returns: each is one step of the event loop."""
        return at_once(call)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def _forget_if_over(self) -> None:
        # A lease that holds nothing is forgotten: a ticket that turns up later is charged, and no more.
        held = {place.lease_id for place in (*self.places.values(), *self.lost.values())}
        for lease_id, model in self.models.items():
            if lease_id not in held:
                model.unused, model.is_released, model.is_doubtful = set(), False, False
                model.is_closed = True

    @invariant()
    def every_place_is_somebodys(self) -> None:
        self._forget_if_over()
        assert self.memory.in_flight == len(self.places)

    @invariant()
    def no_more_is_lent_than_a_minute_holds(self) -> None:
        minutes = 1 + (self.now_seconds - self.started_seconds) / 60
        for payer in PAYERS:
            for subject, quota in zip(subjects(payer), LIMITS, strict=True):
                assert self.sums.requests[subject] <= quota.requests_per_minute * minutes + TOLERANCE
                lent = self._held_by(subject).tokens + self.sums.net_tokens[subject]
                forced = self.sums.forced_tokens[subject]
                assert lent - forced <= quota.tokens_per_minute * minutes + TOLERANCE

    def _sign(self, lease_id: Identity, replica: int) -> bool:
        model, ticket_id = self.models[lease_id], Identity(2, next(self.numbers))
        signed = replace(claims(0, len(model.tickets) + 1), lease_id=lease_id, ticket_id=ticket_id)
        is_anew = self.done(self.store.issue(Issue(signed, self.process(replica), RESERVED_SECONDS)))
        model.tickets[ticket_id] = self.process(replica)
        model.unused.add(ticket_id)
        return is_anew

    def _ticket(self, lease_id: Identity, attempt: int) -> tuple[Identity, Process] | None:
        tickets = list(self.models[lease_id].tickets.items())
        return tickets[attempt] if attempt < len(tickets) else None

    def _accepted(self) -> list[Place]:
        return [place for place in self.places.values() if place.process is not None]

    def _of(self, subject: Subject, places: Iterable[Place]) -> list[Place]:
        return [place for place in places if subject in subjects(place.payer)]

    def _held_by(self, subject: Subject) -> Amount:
        held = NOTHING
        for place in self._of(subject, (*self.places.values(), *self.lost.values())):
            held = held.plus(place.amount)
        return held

    def _check_told(self, subject: Subject, told: Spending) -> None:
        held, month = self._held_by(subject), month_of(self.day)
        of_month = self.sums.spent_in(subject, month).plus(held)
        assert told.day_tokens == self.sums.spent_in(subject, self.day).plus(held).tokens
        assert (told.month_tokens, told.month_money_nanos) == of_month

    def _end_reservation(self, lease_id: Identity, ending: Ending) -> Freed:
        place = self.places.pop(lease_id)
        if self.models[lease_id].is_doubtful:
            self.sums.spend(place.payer, place.amount, self.day)
        return Freed(ending, place.payer, lease_id)
