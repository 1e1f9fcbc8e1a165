"""Whatever happens to leases in any order: nothing is oversold, nothing leaks, every token is somewhere."""

import itertools
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.lease import (
    HANDED_BACK_SECONDS,
    Acceptance,
    Accepted,
    Ending,
    Freed,
    Issue,
    Process,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.tenancy import Quota
from tests.contracts.leases import claims
from tests.services.router.adapters.lease_model import Ledger, Model, Place

KEY = 1
LIMITS = Quota(requests_per_minute=60, tokens_per_minute=2_000, concurrency=3)
RESERVED_SECONDS, ACCEPTED_SECONDS = 12.0, 50.0
REPLICAS = (1, 2, 3)
TOLERANCE = 1e-6
Got = TypeVar("Got")


class Leases(RuleBasedStateMachine):
    """Drives the store and a model of it, and compares after every step."""

    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.ledger = ManualClock(monotonic_seconds=1_000.0), Ledger()
        self.memory = MemoryLeases(self.clock)
        self.memory._accounts = self.ledger
        self.store: LeaseStore = self.memory
        self.numbers = itertools.count(1)
        self.incarnations = dict.fromkeys(REPLICAS, 1)
        self.models: dict[Identity, Model] = {}
        self.places: dict[Identity, Place] = {}
        self.lost: dict[Identity, Place] = {}
        self.ended: set[Identity] = set()
        self.spent_tokens = 0
        self.forced_tokens = 0

    @property
    def now_seconds(self) -> float:
        return self.clock.monotonic_seconds()

    def process(self, replica: int) -> Process:
        return Process(replica, self.incarnations[replica])

    def done(self, call: Coroutine[Any, Any, Got]) -> Got:
        """What a call returns that waits for nothing: each is one step of the event loop."""
        try:
            call.send(None)
        except StopIteration as end:
            got: Got = end.value
            return got
        raise AssertionError("a call on the store in memory waited")

    @rule(target=leases, tokens=st.integers(0, 900), replica=st.sampled_from(REPLICAS))
    def reserve(self, tokens: int, replica: int) -> Identity:
        lease_id = Identity(1, next(self.numbers))
        until = self.now_seconds + RESERVED_SECONDS
        taken = len(self.places)
        self.models[lease_id] = Model(tokens, until)
        try:
            self.done(self.store.reserve(Reservation(lease_id, KEY, LIMITS, tokens, RESERVED_SECONDS)))
        except ComptoirError as refusal:
            assert refusal.retry_after_seconds > 0  # noqa: PT017 - one outcome of two
            return lease_id
        assert taken < LIMITS.concurrency, "oversold"
        self.places[lease_id] = Place(lease_id, tokens, until)
        assert self._sign(lease_id, replica) is False
        return lease_id

    @rule(lease_id=leases, replica=st.sampled_from(REPLICAS))
    def sign(self, lease_id: Identity, replica: int) -> None:
        model = self.models[lease_id]
        is_open = any(one.lease_id == lease_id for one in (*self.places.values(), *self.lost.values()))
        assert (self.done(self.store.issued(lease_id)) is not None) == (is_open and model.may_go_on)
        if not (is_open and model.may_go_on):
            with pytest.raises(ComptoirError):
                self._sign(lease_id, replica)
            return
        is_anew = lease_id not in self.places
        if is_anew:
            self.places[lease_id] = Place(lease_id, model.tokens, 0.0)
            self.forced_tokens += model.tokens
        self.places[lease_id].until = model.reserved_until = self.now_seconds + RESERVED_SECONDS
        assert self._sign(lease_id, replica) == is_anew

    @rule(lease_id=leases, attempt=st.integers(0, 2))
    def accept(self, lease_id: Identity, attempt: int) -> None:
        found = self._ticket(lease_id, attempt)
        if found is None:
            return
        ticket_id, process = found
        model, until = self.models[lease_id], self.now_seconds + ACCEPTED_SECONDS
        permitted_tokens = model.tokens + 7
        acceptance = Acceptance(lease_id, ticket_id, KEY, permitted_tokens, process, ACCEPTED_SECONDS)
        outcome = self.done(self.store.accept(acceptance))
        if ticket_id in self.ended:
            assert outcome is Accepted.ENDED
        elif ticket_id in self.places:
            assert outcome is Accepted.KNOWN
        elif ticket_id in self.lost:
            assert outcome is Accepted.LOST
            self.places[ticket_id] = self.lost.pop(ticket_id)
        elif lease_id in self.places:
            assert outcome is Accepted.RESERVED
            self.places[ticket_id] = Place(lease_id, self.places.pop(lease_id).tokens, until, process)
        else:
            assert outcome is Accepted.NOTHING
            self.places[ticket_id] = Place(lease_id, permitted_tokens, until, process)
            self.forced_tokens += permitted_tokens
        model.unused.discard(ticket_id)

    @rule(lease_id=leases, attempt=st.integers(0, 2), share=st.floats(0, 1), is_unserved=st.booleans())
    def settle(self, lease_id: Identity, attempt: int, share: float, *, is_unserved: bool) -> None:
        found = self._ticket(lease_id, attempt)
        if found is None:
            return
        ticket_id, process = found
        model = self.models[lease_id]
        tokens = int(model.tokens * share)
        settlement = Settlement(lease_id, ticket_id, KEY, tokens, process, is_unserved)
        outcome, freed = self.done(self.store.settle(settlement))
        used_tokens = 0 if is_unserved else tokens
        if ticket_id in self.ended:
            assert (outcome, freed) == (Settled.ENDED, None)
            return
        self.ended.add(ticket_id)
        model.unused.discard(ticket_id)
        if self.lost.pop(ticket_id, None) is not None:
            assert outcome is Settled.LOST
            self.spent_tokens += used_tokens
            return
        holder = next((one for one in (ticket_id, lease_id) if one in self.places), None)
        if holder is None:
            assert outcome is Settled.NOTHING
            self.spent_tokens += used_tokens
            self.forced_tokens += used_tokens
            return
        place = self.places.pop(holder)
        if is_unserved and lease_id not in self.places and (model.unused or model.may_go_on):
            assert outcome is Settled.HANDED_BACK
            until = model.reserved_until if model.unused else self.now_seconds + HANDED_BACK_SECONDS
            self.places[lease_id] = Place(lease_id, place.tokens, until)
            return
        assert (outcome, freed) == (Settled.OPEN, Freed(Ending.SETTLED, KEY, holder))
        self.spent_tokens += used_tokens

    @rule(lease_id=leases)
    def release(self, lease_id: Identity) -> None:
        model = self.models[lease_id]
        is_held = any(place.lease_id == lease_id for place in (*self._accepted(), *self.lost.values()))
        is_open = lease_id in self.places and not is_held
        is_released, freed = self.done(self.store.release(lease_id))
        assert is_released == (is_open and not model.is_released)
        model.is_released = model.is_released or is_released
        model.is_closed = True
        if is_open and not model.unused:
            assert freed == self._end_reservation(lease_id, Ending.RELEASED)
        else:
            assert freed is None

    @rule(lease_id=leases)
    def cancel(self, lease_id: Identity) -> None:
        is_held = any(place.lease_id == lease_id for place in (*self._accepted(), *self.lost.values()))
        is_open = lease_id in self.places and not is_held
        freed = self.done(self.store.cancel(lease_id))
        assert freed == (self._end_reservation(lease_id, Ending.CANCELLED) if is_open else None)

    @rule(replica=st.sampled_from(REPLICAS))
    def lose(self, replica: int) -> None:
        process = self.process(replica)
        self.incarnations[replica] += 1
        expected = []
        for ticket_id in [one for one, place in self.places.items() if place.process == process]:
            self.lost[ticket_id] = self.places.pop(ticket_id)
            expected.append(Freed(Ending.LOST, KEY, ticket_id))
        for lease_id, model in self.models.items():
            dead = {ticket_id for ticket_id in model.unused if model.tickets[ticket_id] == process}
            model.unused -= dead
            model.is_doubtful = model.is_doubtful or bool(dead)
            if dead and not model.unused and lease_id in self.places:
                expected.append(self._end_reservation(lease_id, Ending.LOST))
        freed = self.done(self.store.lose(process))
        assert sorted(freed, key=str) == sorted(expected, key=str)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)
        expected = []
        for holder in [one for one, place in self.places.items() if place.until <= self.now_seconds]:
            model = self.models.get(holder)
            if model is not None:
                ending = Ending.RELEASED if model.is_released else Ending.EXPIRED
                expected.append(self._end_reservation(holder, ending))
            else:
                self.spent_tokens += self.places.pop(holder).tokens
                self.ended.add(holder)
                expected.append(Freed(Ending.EXPIRED, KEY, holder))
        for ticket_id in [one for one, place in self.lost.items() if place.until <= self.now_seconds]:
            self.spent_tokens += self.lost.pop(ticket_id).tokens
            self.ended.add(ticket_id)
        freed = self.done(self.store.expire())
        assert sorted(freed, key=str) == sorted(expected, key=str)

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
    def every_token_is_somewhere(self) -> None:
        held = sum(place.tokens for place in (*self.places.values(), *self.lost.values()))
        assert self.ledger.tokens == held + self.spent_tokens

    @invariant()
    def no_more_is_lent_than_the_quota_holds(self) -> None:
        minutes = (self.now_seconds - 1_000.0) / 60
        assert self.ledger.requests <= LIMITS.requests_per_minute * (1 + minutes) + TOLERANCE
        lent = self.ledger.tokens - self.forced_tokens
        assert lent <= LIMITS.tokens_per_minute * (1 + minutes) + TOLERANCE

    def teardown(self) -> None:
        self.wait(10_000.0)
        self.wait(10_000.0)
        assert self.memory.in_flight == 0
        assert not self.memory._leases
        assert not self.memory._ended

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

    def _end_reservation(self, lease_id: Identity, ending: Ending) -> Freed:
        tokens = self.places.pop(lease_id).tokens
        self.spent_tokens += tokens if self.models[lease_id].is_doubtful else 0
        return Freed(ending, KEY, lease_id)
