"""Whatever happens to leases in any order: nothing is oversold, nothing leaks, every token is somewhere."""

import itertools
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.lease import (
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
from services.router.domain.tenancy import Quota
from tests.services.router.adapters.lease_model import Ledger, Model, Place

KEY = 1
LIMITS = Quota(requests_per_minute=60, tokens_per_minute=2_000, concurrency=3)
RESERVED_SECONDS, ACCEPTED_SECONDS = 12.0, 50.0
REPLICAS = (1, 2, 3)
TOLERANCE = 1e-6
Got = TypeVar("Got")


def done(call: Coroutine[Any, Any, Got]) -> Got:
    """What a call returns that waits for nothing: each is one step of the event loop."""
    try:
        call.send(None)
    except StopIteration as end:
        got: Got = end.value
        return got
    raise AssertionError("a call on the store in memory waited")


class Leases(RuleBasedStateMachine):
    """Drives the store and a model of it, and compares after every step."""

    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.ledger = ManualClock(monotonic_seconds=1_000.0), Ledger()
        self.store = MemoryLeases(self.clock)
        self.store._accounts = self.ledger
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

    @rule(
        target=leases, tokens=st.integers(0, 900), replicas=st.lists(st.sampled_from(REPLICAS), unique=True)
    )
    def reserve(self, tokens: int, replicas: list[int]) -> Identity:
        lease_id = Identity(1, next(self.numbers))
        until = self.now_seconds + RESERVED_SECONDS
        taken = len(self.places)
        tickets = {Identity(2, next(self.numbers)): self.process(replica) for replica in replicas}
        self.models[lease_id] = Model(tokens, tickets, until)
        try:
            done(self.store.reserve(Reservation(lease_id, KEY, LIMITS, tokens, RESERVED_SECONDS)))
        except ComptoirError as refusal:
            assert refusal.retry_after_seconds > 0  # noqa: PT017 - one outcome of two
            return lease_id
        assert taken < LIMITS.concurrency, "oversold"
        done(self.store.issue(Issue(lease_id, tickets, RESERVED_SECONDS)))
        self.models[lease_id].unused = set(tickets)
        self.places[lease_id] = Place(lease_id, tokens, until)
        return lease_id

    @rule(lease_id=leases, attempt=st.integers(0, 2))
    def accept(self, lease_id: Identity, attempt: int) -> None:
        found = self._ticket(lease_id, attempt)
        if found is None:
            return
        ticket_id, process = found
        model, until = self.models[lease_id], self.now_seconds + ACCEPTED_SECONDS
        permitted_tokens = model.tokens + 7
        acceptance = Acceptance(lease_id, ticket_id, KEY, permitted_tokens, process, ACCEPTED_SECONDS)
        outcome = done(self.store.accept(acceptance))
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
        outcome, freed = done(self.store.settle(settlement))
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
        if is_unserved and model.unused and lease_id not in self.places:
            assert outcome is Settled.HANDED_BACK
            self.places[lease_id] = Place(lease_id, place.tokens, model.reserved_until)
            return
        assert (outcome, freed) == (Settled.OPEN, Freed(Ending.SETTLED, KEY, holder))
        self.spent_tokens += used_tokens

    @rule(lease_id=leases)
    def release(self, lease_id: Identity) -> None:
        model = self.models[lease_id]
        is_held = any(place.lease_id == lease_id for place in (*self._accepted(), *self.lost.values()))
        is_open = lease_id in self.places and not is_held
        is_released, freed = done(self.store.release(lease_id))
        assert is_released == (is_open and not model.is_released)
        model.is_released = model.is_released or is_released
        if is_open and not model.unused:
            assert freed == self._end_reservation(lease_id, Ending.RELEASED)
        else:
            assert freed is None

    @rule(lease_id=leases)
    def cancel(self, lease_id: Identity) -> None:
        is_held = any(place.lease_id == lease_id for place in (*self._accepted(), *self.lost.values()))
        is_open = lease_id in self.places and not is_held
        freed = done(self.store.cancel(lease_id))
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
        freed = done(self.store.lose(process))
        assert sorted(freed, key=str) == sorted(expected, key=str)

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
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
        freed = done(self.store.expire())
        assert sorted(freed, key=str) == sorted(expected, key=str)

    def _forget_if_over(self) -> None:
        # A lease that holds nothing is forgotten: a ticket that turns up later is charged, and no more.
        held = {place.lease_id for place in (*self.places.values(), *self.lost.values())}
        for lease_id, model in self.models.items():
            if lease_id not in held:
                model.unused, model.is_released, model.is_doubtful = set(), False, False

    @invariant()
    def every_place_is_somebodys(self) -> None:
        self._forget_if_over()
        assert self.store.in_flight == len(self.places)

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
        assert self.store.in_flight == 0
        assert not self.store._leases
        assert not self.store._ended

    def _ticket(self, lease_id: Identity, attempt: int) -> tuple[Identity, Process] | None:
        tickets = list(self.models[lease_id].tickets.items())
        return tickets[attempt] if attempt < len(tickets) else None

    def _accepted(self) -> list[Place]:
        return [place for place in self.places.values() if place.process is not None]

    def _end_reservation(self, lease_id: Identity, ending: Ending) -> Freed:
        tokens = self.places.pop(lease_id).tokens
        self.spent_tokens += tokens if self.models[lease_id].is_doubtful else 0
        return Freed(ending, KEY, lease_id)


TestLeases = Leases.TestCase

TestLeases.settings = settings(max_examples=150, stateful_step_count=40)
