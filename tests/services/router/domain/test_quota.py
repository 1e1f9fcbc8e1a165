"""Whatever order leases are reserved and closed in, no more is lent than a quota holds."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from services.router.domain import quota
from services.router.domain.quota import QuotaBook, Reservation, Settled
from services.router.domain.tenancy import Quota
from services.runtime.errors import ComptoirError, Reason
from services.runtime.identity import Identity

LIMITS = Quota(requests_per_minute=6, tokens_per_minute=1_000, concurrency=3)
LIFETIME_SECONDS = 50.0
TOLERANCE = 1e-6


class Leases(RuleBasedStateMachine):
    """Keeps its own books of what was lent and used, in the simplest way, and compares."""

    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.book = QuotaBook()
        self.now_seconds = 0.0
        self.numbers = itertools.count()
        self.open: dict[Identity, Reservation] = {}
        self.released: dict[Identity, Reservation] = {}
        self.requests = 0
        self.tokens = 0

    @rule(target=leases, tokens=st.integers(min_value=1, max_value=1_200))
    def reserve(self, tokens: int) -> Identity:
        lease_id = Identity(1, next(self.numbers))
        expires_at = self.now_seconds + LIFETIME_SECONDS
        reservation = Reservation(lease_id, 1, LIMITS, tokens, expires_at)
        try:
            state = self.book.reserve(reservation, self.now_seconds)
        except ComptoirError as refusal:
            assert refusal.retry_after_seconds > 0  # noqa: PT017 - one outcome of two
            return lease_id
        assert state.remaining_tokens >= 0
        self.open[lease_id] = reservation
        self.requests += 1
        self.tokens += tokens
        return lease_id

    @rule(lease_id=leases, share=st.floats(min_value=0, max_value=1))
    def settle(self, lease_id: Identity, share: float) -> None:
        lease = self.open.get(lease_id) or self.released.get(lease_id)
        used_tokens = int(lease.tokens * share) if lease else 5
        found = self.book.settle(lease_id, used_tokens, self.now_seconds)
        if self.open.pop(lease_id, None) is not None:
            assert found is Settled.OPEN
            assert lease is not None
            self.tokens -= lease.tokens - used_tokens
        elif self.released.pop(lease_id, None) is not None:
            assert found is Settled.RELEASED
        else:
            assert found is Settled.UNKNOWN

    @rule(lease_id=leases)
    def release(self, lease_id: Identity) -> None:
        lease = self.open.pop(lease_id, None)
        assert self.book.release(lease_id, self.now_seconds) == (lease is not None)
        if lease is not None:
            self.released[lease_id] = lease
            self.tokens -= lease.tokens

    @rule(lease_id=consumes(leases))
    def cancel(self, lease_id: Identity) -> None:
        lease = self.open.pop(lease_id, None)
        assert self.book.cancel(lease_id, self.now_seconds) == (lease is not None)
        if lease is not None:
            self.requests -= 1
            self.tokens -= lease.tokens

    @rule(seconds=st.floats(min_value=0, max_value=40))
    def wait(self, seconds: float) -> None:
        self.now_seconds += seconds
        expired = self.book.expire(self.now_seconds)
        over = {one for one, lease in self.open.items() if lease.expires_at_seconds <= self.now_seconds}
        assert set(expired) == over
        for lease_id in over:
            del self.open[lease_id]
        for lease_id in [
            one for one, lease in self.released.items() if lease.expires_at_seconds <= self.now_seconds
        ]:
            del self.released[lease_id]

    @invariant()
    def no_more_is_lent_than_the_quota_holds(self) -> None:
        minutes = self.now_seconds / 60
        assert self.requests <= LIMITS.requests_per_minute * (1 + minutes) + TOLERANCE
        assert self.tokens <= LIMITS.tokens_per_minute * (1 + minutes) + TOLERANCE
        assert len(self.open) <= LIMITS.concurrency
        assert self.book.in_flight == len(self.open)


TestLeases = Leases.TestCase
TestLeases.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


def test_an_idle_key_is_forgotten_once_its_quota_is_full_again() -> None:
    book = QuotaBook()
    book.reserve(Reservation(Identity(0, 1), 1, LIMITS, 500, 30), 0)
    book.expire(29)
    assert book._accounts
    book.expire(30)
    assert not book._accounts


def test_remembered_releases_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "MAX_RELEASED", 2)
    book = QuotaBook()
    for number in range(4):
        book.reserve(Reservation(Identity(0, number), 1, Quota(), 1, 30), 0)
        book.release(Identity(0, number), 0)
    assert [book.settle(Identity(0, number), 1, 0) for number in range(4)] == [
        Settled.UNKNOWN,
        Settled.UNKNOWN,
        Settled.RELEASED,
        Settled.RELEASED,
    ]


def test_requests_are_checked_before_tokens_before_concurrency() -> None:
    book = QuotaBook()
    one = Quota(requests_per_minute=1, tokens_per_minute=10, concurrency=1)
    book.reserve(Reservation(Identity(0, 1), 1, one, 10, 30), 0)
    reasons = []
    for limits in (one, Quota(0, 10, 1), Quota(0, 0, 1)):
        with pytest.raises(ComptoirError) as refusal:
            book.reserve(Reservation(Identity(0, 2), 1, limits, 10, 30), 0)
        reasons.append(refusal.value.reason)
    assert reasons == [Reason.REQUESTS_EXHAUSTED, Reason.TOKENS_EXHAUSTED, Reason.CONCURRENCY_EXHAUSTED]
