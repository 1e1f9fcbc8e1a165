"""Whatever happens to leases in any order: each rule is one thing that may happen."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, rule

from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.lease import (
    HANDED_BACK_SECONDS,
    PARTITIONS,
    Acceptance,
    Accepted,
    Ending,
    Freed,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.quota import Payer
from tests.services.router.adapters.lease_model import Model, Place, Sums, subjects
from tests.services.router.adapters.lease_world import (
    ACCEPTED_SECONDS,
    CENT,
    LIMITS,
    PAYERS,
    REMEMBERED_SECONDS,
    REPLICAS,
    RESERVED_SECONDS,
    TENANT,
    LeaseWorld,
)


class Leases(LeaseWorld):
    """Drives the store and a model of it, and compares after every step."""

    leases = Bundle("leases")

    @rule(
        target=leases,
        payer=st.sampled_from(PAYERS),
        tokens=st.integers(1, 900),
        cents=st.integers(1, 9),
        replica=st.sampled_from(REPLICAS),
    )
    def reserve(self, payer: Payer, tokens: int, cents: int, replica: int) -> Identity:
        lease_id = Identity(PARTITIONS, next(self.numbers))
        until = self.now_seconds + RESERVED_SECONDS
        amount = Amount(tokens, cents * CENT)
        self.models[lease_id] = Model(payer, amount, until)
        try:
            self.done(self.store.reserve(Reservation(lease_id, payer, LIMITS, amount, RESERVED_SECONDS)))
        except ComptoirError as refusal:
            assert refusal.retry_after_seconds > 0  # noqa: PT017 - one outcome of two
            return lease_id
        self.places[lease_id] = Place(lease_id, payer, amount, until)
        for subject, quota in zip(subjects(payer), LIMITS, strict=True):
            assert len(self._of(subject, self.places.values())) <= quota.concurrency, "oversold"
            self.sums.check_room(subject, quota, self.day, self._held_by(subject))
            self.sums.requests[subject] += 1
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
            self.places[lease_id] = Place(lease_id, model.payer, model.amount, 0.0)
            self.sums.force(model.payer, model.amount)
        self.places[lease_id].until = model.reserved_until = self.now_seconds + RESERVED_SECONDS
        assert self._sign(lease_id, replica) == is_anew

    @rule(lease_id=leases, attempt=st.integers(0, 2))
    def accept(self, lease_id: Identity, attempt: int) -> None:
        found = self._ticket(lease_id, attempt)
        if found is None:
            return
        ticket_id, process = found
        model, until = self.models[lease_id], self.now_seconds + ACCEPTED_SECONDS
        permitted = model.amount.plus(Amount(7, 7))
        acceptance = Acceptance(lease_id, ticket_id, model.payer, permitted, process, ACCEPTED_SECONDS)
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
            amount = self.places.pop(lease_id).amount
            self.places[ticket_id] = Place(lease_id, model.payer, amount, until, process)
        else:
            assert outcome is Accepted.NOTHING
            self.places[ticket_id] = Place(lease_id, model.payer, permitted, until, process)
            self.sums.force(model.payer, permitted)
        model.unused.discard(ticket_id)

    @rule(lease_id=leases, attempt=st.integers(0, 2), share=st.floats(0, 1), is_unserved=st.booleans())
    def settle(self, lease_id: Identity, attempt: int, share: float, *, is_unserved: bool) -> None:
        found = self._ticket(lease_id, attempt)
        if found is None:
            return
        ticket_id, process = found
        model = self.models[lease_id]
        amount = Amount(int(model.amount.tokens * share), int(model.amount.nanos * share))
        settlement = Settlement(lease_id, ticket_id, model.payer, amount, process, is_unserved)
        outcome, freed = self.done(self.store.settle(settlement))
        used = NOTHING if is_unserved else amount
        if ticket_id in self.ended:
            assert (outcome, freed) == (Settled.ENDED, None)
            return
        self.ended[ticket_id] = self.now_seconds
        model.unused.discard(ticket_id)
        if self.lost.pop(ticket_id, None) is not None:
            assert outcome is Settled.LOST
            self.sums.spend(model.payer, used, self.day)
            return
        holder = next((one for one in (ticket_id, lease_id) if one in self.places), None)
        if holder is None:
            assert outcome is Settled.NOTHING
            self.sums.spend(model.payer, used, self.day)
            self.sums.force(model.payer, used)
            return
        place = self.places.pop(holder)
        if is_unserved and lease_id not in self.places and (model.unused or model.may_go_on):
            assert outcome is Settled.HANDED_BACK
            until = model.reserved_until if model.unused else self.now_seconds + HANDED_BACK_SECONDS
            self.places[lease_id] = Place(lease_id, model.payer, place.amount, until)
            return
        assert (outcome, freed) == (Settled.OPEN, Freed(Ending.SETTLED, model.payer, holder))
        self.sums.spend(model.payer, used, self.day)

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
        if is_open:
            self.sums.requests.subtract(subjects(self.models[lease_id].payer))

    @rule(replica=st.sampled_from(REPLICAS))
    def lose(self, replica: int) -> None:
        process = self.process(replica)
        self.incarnations[replica] += 1
        expected = []
        for ticket_id in [one for one, place in self.places.items() if place.process == process]:
            self.lost[ticket_id] = self.places.pop(ticket_id)
            expected.append(Freed(Ending.LOST, self.lost[ticket_id].payer, ticket_id))
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
        forgotten_seconds = self.now_seconds - REMEMBERED_SECONDS
        self.ended = {one: at for one, at in self.ended.items() if at > forgotten_seconds}
        expected = []
        for holder in [one for one, place in self.places.items() if place.until <= self.now_seconds]:
            model = self.models.get(holder)
            if model is not None:
                ending = Ending.RELEASED if model.is_released else Ending.EXPIRED
                expected.append(self._end_reservation(holder, ending))
            else:
                place = self.places.pop(holder)
                self.sums.spend(place.payer, place.amount, self.day)
                self.ended[holder] = self.now_seconds
                expected.append(Freed(Ending.EXPIRED, place.payer, holder))
        for ticket_id in [one for one, place in self.lost.items() if place.until <= self.now_seconds]:
            place = self.lost.pop(ticket_id)
            self.sums.spend(place.payer, place.amount, self.day)
            self.ended[ticket_id] = self.now_seconds
        freed = self.done(self.store.expire())
        assert sorted(freed, key=str) == sorted(expected, key=str)

    @rule(hours=st.integers(1, 40 * 24))
    def wait_long(self, hours: int) -> None:
        self.wait(hours * 3_600)

    @rule()
    def restart(self) -> None:
        """The process is killed right after it has written, and knows no lease any more."""
        self.wait(0)
        self.done(self.book.write())
        for model in self.models.values():
            model.unused, model.is_released, model.is_doubtful, model.is_closed = set(), False, False, True
        self.places, self.lost, self.ended = {}, {}, {}
        spent, self.sums = self.sums.spent, Sums()
        self.sums.spent = spent
        self.start()

    @rule()
    def look(self) -> None:
        """Everything is held or spent where it belongs."""
        for payer in PAYERS:
            key, tenant = subjects(payer)
            self._check_told(key, self.done(self.store.spending(TENANT, payer.key)))
        self._check_told(tenant, self.done(self.store.spending(TENANT)))

    def teardown(self) -> None:
        self.wait(10_000.0)
        self.wait(10_000.0)
        self.look()
        assert self.memory.in_flight == 0
        assert not len(self.memory._leases)
        assert not self.memory._ended
