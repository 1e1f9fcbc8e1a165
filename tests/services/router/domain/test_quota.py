"""What a key may use: no more is lent than a quota holds, and what nobody asked for is counted too."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import wait_milliseconds
from services.router.domain.quota import QuotaAccounts
from services.router.domain.tenancy import Quota

LIMITS = Quota(requests_per_minute=6, tokens_per_minute=1_000, concurrency=3)


def refusal_of(accounts: QuotaAccounts, quota: Quota, tokens: int) -> ComptoirError:
    with pytest.raises(ComptoirError) as refusal:
        accounts.lend(1, quota, tokens, 0)
    return refusal.value


def test_requests_are_checked_before_tokens_before_concurrency_and_each_says_its_numbers() -> None:
    accounts = QuotaAccounts()
    one = Quota(requests_per_minute=1, tokens_per_minute=10, concurrency=1)
    accounts.lend(1, one, 10, 0)
    refusals = [
        refusal_of(accounts, limits, 10)
        for limits in (
            one,
            Quota(requests_per_minute=0, tokens_per_minute=10, concurrency=1),
            Quota(requests_per_minute=0, tokens_per_minute=0, concurrency=1),
        )
    ]
    assert [(refusal.reason, refusal.numbers) for refusal in refusals] == [
        (Reason.REQUESTS_EXHAUSTED, Numbers(1, 1, 0)),
        (Reason.TOKENS_EXHAUSTED, Numbers(10, 10, 0)),
        (Reason.CONCURRENCY_EXHAUSTED, Numbers(1, 1)),
    ]
    assert all(refusal.quota is not None for refusal in refusals)


LIMIT = st.integers(1, 10**6)


@given(requests=LIMIT, tokens=LIMIT, asked=LIMIT, pause_seconds=st.floats(0, 90))
def test_who_waits_as_long_as_a_refusal_says_is_let_through(
    requests: int, tokens: int, asked: int, pause_seconds: float
) -> None:
    accounts, quota = (
        QuotaAccounts(),
        Quota(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=0),
    )
    asked, now_seconds = min(asked, tokens), 0.0
    for _ in range(3):
        try:
            accounts.lend(1, quota, asked, now_seconds)
        except ComptoirError as refusal:
            wait_seconds = wait_milliseconds(refusal.retry_after_seconds) / 1000
            with pytest.raises(ComptoirError):
                accounts.lend(1, quota, asked, now_seconds + wait_seconds * 0.99 - 0.001)
            now_seconds += wait_seconds
            accounts.lend(1, quota, asked, now_seconds)
        now_seconds += pause_seconds / 3


def test_the_limit_that_takes_longer_to_come_back_is_named() -> None:
    quota = Quota(requests_per_minute=60, tokens_per_minute=60, concurrency=0)
    accounts = QuotaAccounts()
    for _ in range(60):
        accounts.lend(1, quota, 1, 0)
    refusal = refusal_of(accounts, quota, 10)
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.TOKENS_EXHAUSTED, 10)
    refusal = refusal_of(accounts, quota, 1)
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.REQUESTS_EXHAUSTED, 1)


class KeyOfManyRequests(RuleBasedStateMachine):
    """One key whose requests end in every way that there is, and a reader's own sums beside its account."""

    open_leases = Bundle("open_leases")
    lost_leases = Bundle("lost_leases")

    def __init__(self) -> None:
        super().__init__()
        self.accounts, self.now_seconds = QuotaAccounts(), 0.0
        self.requests = self.tokens = self.forced_tokens = self.places = 0

    @rule(target=open_leases, tokens=st.integers(0, 1_200))
    def lend(self, tokens: int) -> object:
        try:
            self.accounts.lend(1, LIMITS, tokens, self.now_seconds)
        except ComptoirError as refusal:
            assert refusal.retry_after_seconds > 0  # noqa: PT017 - one outcome of two
            return multiple()
        assert self.places < LIMITS.concurrency, "oversold"
        self.requests, self.tokens, self.places = self.requests + 1, self.tokens + tokens, self.places + 1
        return tokens

    @rule(tokens=consumes(open_leases), used_tokens=st.integers(0, 1_500))
    def settle(self, tokens: int, used_tokens: int) -> None:
        self._charge(used_tokens - tokens)
        self._vacate()

    @rule(tokens=consumes(open_leases))
    def cancel(self, tokens: int) -> None:
        self._charge(-tokens)
        self.accounts.give_request(1, self.now_seconds)
        self.requests -= 1
        self._vacate()

    @rule(target=lost_leases, tokens=consumes(open_leases))
    def lose(self, tokens: int) -> int:
        """Its process is gone: the place is free, and the tokens stay charged."""
        self._vacate()
        return tokens

    @rule(tokens=consumes(lost_leases), used_tokens=st.integers(0, 1_500))
    def settle_what_was_lost(self, tokens: int, used_tokens: int) -> None:
        self._charge(used_tokens - tokens)

    @rule(target=open_leases, tokens=consumes(lost_leases))
    def find_again(self, tokens: int) -> int:
        """Its process was not gone: it takes its place again, whatever the limit says."""
        self.accounts.occupy(1)
        self.places += 1
        return tokens

    @rule(seconds=st.floats(0, 30))
    def wait(self, seconds: float) -> None:
        self.now_seconds += seconds
        self.accounts.forget_idle(self.now_seconds)

    @invariant()
    def no_more_is_lent_than_the_quota_holds(self) -> None:
        minutes = 1 + self.now_seconds / 60
        assert self.requests <= LIMITS.requests_per_minute * minutes + 1e-6
        assert self.tokens - self.forced_tokens <= LIMITS.tokens_per_minute * minutes + 1e-6

    @invariant()
    def every_place_is_that_of_an_open_lease(self) -> None:
        assert self.accounts.in_flight == self.places

    def _charge(self, tokens: int) -> None:
        charged = self.accounts.charge(1, tokens, self.now_seconds)
        # An account that is forgotten was full: nothing is charged to it.
        assert charged in (tokens, 0)
        self.tokens += charged
        self.forced_tokens += max(0, charged)

    def _vacate(self) -> None:
        self.accounts.vacate(1)
        self.places -= 1


TestKeyOfManyRequests = KeyOfManyRequests.TestCase
TestKeyOfManyRequests.settings = settings(max_examples=150, stateful_step_count=40)


def test_a_place_that_was_taken_without_asking_counts_against_the_limit() -> None:
    accounts = QuotaAccounts()
    for _ in range(4):
        accounts.occupy(1)
    assert refusal_of(accounts, LIMITS, 1).reason is Reason.CONCURRENCY_EXHAUSTED
    for _ in range(2):
        accounts.vacate(1)
    accounts.lend(1, LIMITS, 1, 0)
    assert accounts.in_flight == 3


def test_a_key_that_asked_for_nothing_yet_is_charged_nothing() -> None:
    accounts = QuotaAccounts()
    assert accounts.charge(1, 500, 0) == 0
    accounts.give_request(1, 0)
    state = accounts.lend(1, LIMITS, 1, 0)
    assert (state.remaining_requests, state.remaining_tokens) == (5, 999)


def test_a_request_that_was_never_made_comes_back() -> None:
    accounts = QuotaAccounts()
    accounts.lend(1, LIMITS, 0, 0)
    accounts.give_request(1, 0)
    assert accounts.lend(1, LIMITS, 0, 0).remaining_requests == 5


def test_an_idle_key_is_forgotten_once_its_quota_is_full_again() -> None:
    accounts = QuotaAccounts()
    accounts.lend(1, LIMITS, 500, 0)
    accounts.forget_idle(60)
    assert accounts._accounts, "a request is in flight"
    accounts.vacate(1)
    accounts.charge(1, 500, 60)
    accounts.forget_idle(89)
    assert accounts._accounts, "its tokens are not back"
    accounts.forget_idle(91)
    assert not accounts._accounts
    assert not accounts._in_flight


def test_a_lost_lease_frees_its_place_and_keeps_its_tokens_until_it_is_settled() -> None:
    accounts, one_at_a_time = QuotaAccounts(), Quota(tokens_per_minute=1_000, concurrency=1)
    accounts.lend(1, one_at_a_time, 600, 0)
    accounts.vacate(1)
    assert accounts.lend(1, one_at_a_time, 0, 0).remaining_tokens == 400
    accounts.charge(1, 100 - 600, 0)
    accounts.vacate(1)
    assert accounts.lend(1, one_at_a_time, 0, 0).remaining_tokens == 900
