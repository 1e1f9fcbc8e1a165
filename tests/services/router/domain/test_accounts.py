"""What keys and tenants may use: no more is lent than a quota holds, and what nobody asked for counts too."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Numbers, Reason
from services.kernel.quota import wait_milliseconds
from services.router.domain.accounts import Accounts
from services.router.domain.amount import NOTHING, Amount
from services.router.domain.quota import Held, Payer, Quotas
from services.router.domain.spending_book import SpendingBook
from services.router.domain.tenancy import UNLIMITED, Quota
from tests.fakes.at_once import at_once

LIMITS = Quota(requests_per_minute=6, tokens_per_minute=1_000, concurrency=3)
PAYER, OTHER_KEY = Payer(9, 1), Payer(9, 2)
CENT = 10_000_000


@dataclass
class Scene:
    """Accounts on a clock that tests turn."""

    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.clock, SpendingBook())

    def lend(self, quota: Quota, tokens: int, payer: Payer = PAYER, of_tenant: Quota = UNLIMITED) -> Held:
        quotas = Quotas(quota, of_tenant)
        at_once(self.accounts.informed(payer, quotas))
        return self.accounts.lend(payer, quotas, Amount(tokens))[1]

    def refusal_of(self, quota: Quota, tokens: int, of_tenant: Quota = UNLIMITED) -> ComptoirError:
        with pytest.raises(ComptoirError) as refusal:
            self.lend(quota, tokens, of_tenant=of_tenant)
        return refusal.value


def test_requests_are_checked_before_tokens_before_concurrency_and_each_says_its_numbers() -> None:
    scene = Scene()
    one = Quota(requests_per_minute=1, tokens_per_minute=10, concurrency=1)
    scene.lend(one, 10)
    refusals = [
        scene.refusal_of(limits, 10)
        for limits in (one, Quota(tokens_per_minute=10, concurrency=1), Quota(concurrency=1))
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
    clock = ManualClock(monotonic_seconds=0.0)
    accounts = Accounts(clock, SpendingBook())
    quotas = Quotas(Quota(requests_per_minute=requests, tokens_per_minute=tokens), UNLIMITED)
    amount, start_seconds = Amount(min(asked, tokens)), 0.0
    for _ in range(3):
        try:
            accounts.lend(PAYER, quotas, amount)
        except ComptoirError as refusal:
            wait_seconds = wait_milliseconds(refusal.retry_after_seconds) / 1000
            start_seconds = clock.monotonic_seconds()
            clock.advance(wait_seconds * 0.99 - 0.001)
            with pytest.raises(ComptoirError):
                accounts.lend(PAYER, quotas, amount)
            clock.advance(start_seconds + wait_seconds - clock.monotonic_seconds())
            accounts.lend(PAYER, quotas, amount)
        clock.advance(pause_seconds / 3)


def test_the_limit_that_takes_longer_to_come_back_is_named() -> None:
    quota, scene = Quota(requests_per_minute=60, tokens_per_minute=60), Scene()
    for _ in range(60):
        scene.lend(quota, 1)
    refusal = scene.refusal_of(quota, 10)
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.TOKENS_EXHAUSTED, 10)
    refusal = scene.refusal_of(quota, 1)
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.REQUESTS_EXHAUSTED, 1)


def test_of_a_key_and_its_tenant_the_longer_wait_is_told_and_whose_it_is() -> None:
    scene, key, tenant = Scene(), Quota(tokens_per_minute=100), Quota(tokens_per_day=100)
    scene.lend(key, 100, of_tenant=tenant)
    refusal = scene.refusal_of(key, 50, of_tenant=tenant)
    assert (refusal.reason, refusal.is_of_tenant) == (Reason.DAY_TOKENS_EXHAUSTED, True)
    refusal = scene.refusal_of(key, 50, of_tenant=Quota(tokens_per_minute=200))
    assert (refusal.reason, refusal.is_of_tenant) == (Reason.TOKENS_EXHAUSTED, False)


def test_a_place_is_named_only_where_nothing_else_is_in_the_way() -> None:
    scene, key = Scene(), Quota(tokens_per_minute=6_000, concurrency=1)
    scene.lend(key, 6_000)
    # Its tokens are back before a place is said to be.
    assert scene.refusal_of(key, 50).reason is Reason.TOKENS_EXHAUSTED
    scene.clock.advance(1.0)
    refusal = scene.refusal_of(key, 50, of_tenant=Quota(concurrency=1))
    assert (refusal.reason, refusal.is_of_tenant) == (Reason.CONCURRENCY_EXHAUSTED, False)
    refusal = scene.refusal_of(UNLIMITED, 50, of_tenant=Quota(concurrency=1))
    assert (refusal.reason, refusal.is_of_tenant) == (Reason.CONCURRENCY_EXHAUSTED, True)


def test_a_refusal_takes_nothing_of_either() -> None:
    scene, key, tenant = Scene(), Quota(requests_per_minute=2, tokens_per_day=100), Quota(tokens_per_day=50)
    scene.refusal_of(key, 60, of_tenant=tenant)
    for _ in range(2):
        scene.lend(key, 25, of_tenant=tenant)


def test_a_place_that_was_taken_without_asking_counts_against_the_limit() -> None:
    scene = Scene()
    for _ in range(4):
        scene.accounts.occupy(PAYER)
    assert scene.refusal_of(LIMITS, 1).reason is Reason.CONCURRENCY_EXHAUSTED
    for _ in range(2):
        scene.accounts.vacate(PAYER)
    scene.lend(LIMITS, 1)
    assert scene.accounts.in_flight == 3


def test_of_a_minute_that_nobody_asked_for_nothing_is_taken() -> None:
    scene = Scene()
    held = scene.accounts.hold(PAYER, Amount(500))
    scene.accounts.give_request(PAYER)
    scene.lend(LIMITS, 0)
    scene.accounts.settle(PAYER, held, NOTHING)
    assert (held.of_key, held.of_tenant) == (0, 0)
    assert scene.refusal_of(LIMITS, 1_001).numbers == Numbers(1_000, 1_001, 1_000)


def test_a_request_that_was_never_made_comes_back() -> None:
    scene = Scene()
    scene.lend(LIMITS, 0)
    scene.accounts.give_request(PAYER)
    state = scene.accounts.spend_request(PAYER, Quotas(LIMITS, UNLIMITED))
    assert state.remaining_requests == 5


def test_who_used_nothing_this_month_is_forgotten_once_the_minute_is_full_again() -> None:
    scene = Scene()
    held = scene.lend(LIMITS, 500)
    scene.clock.advance(60)
    scene.accounts.forget_idle()
    assert scene.accounts._accounts, "a request is in flight"
    scene.accounts.vacate(PAYER)
    scene.accounts.settle(PAYER, held, Amount(1))
    scene.clock.advance(60)
    scene.accounts.forget_idle()
    assert scene.accounts._accounts, "a token was used this month"
    scene.clock.advance(31 * 86_400)
    scene.accounts.forget_idle()
    assert not scene.accounts._accounts


def test_accounts_are_looked_at_some_at_a_time_and_every_one_in_its_turn() -> None:
    scene = Scene()
    for key in range(1, 10_001):
        scene.accounts.occupy(Payer(0, key))
        scene.accounts.vacate(Payer(0, key))
    left = [len(scene.accounts._accounts)]
    while left[-1]:
        scene.accounts.forget_idle()
        left.append(len(scene.accounts._accounts))
        assert left[-2] - 2_048 <= left[-1] < left[-2]


def test_a_lost_lease_frees_its_place_and_keeps_its_tokens_until_it_is_settled() -> None:
    scene, one_at_a_time = Scene(), Quota(tokens_per_minute=1_000, concurrency=1)
    held = scene.lend(one_at_a_time, 600)
    scene.accounts.vacate(PAYER)
    other = scene.lend(one_at_a_time, 0)
    assert scene.refusal_of(one_at_a_time, 401).reason is Reason.TOKENS_EXHAUSTED
    scene.accounts.settle(PAYER, held, Amount(100))
    scene.accounts.settle(PAYER, other, NOTHING)
    scene.accounts.vacate(PAYER)
    scene.lend(one_at_a_time, 900)


def test_a_request_of_nobody_is_charged_to_nobody() -> None:
    scene = Scene()
    scene.accounts.charge(Payer(0, 0), Amount(5))
    assert not scene.accounts._accounts
