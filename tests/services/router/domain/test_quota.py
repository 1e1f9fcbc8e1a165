"""What a key may use: no more is lent than a quota holds, and what nobody asked for is counted too."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import ComptoirError, Numbers, Reason
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
    refusals = [refusal_of(accounts, limits, 10) for limits in (one, Quota(0, 10, 1), Quota(0, 0, 1))]
    assert [(refusal.reason, refusal.numbers) for refusal in refusals] == [
        (Reason.REQUESTS_EXHAUSTED, Numbers(1, 1, 0)),
        (Reason.TOKENS_EXHAUSTED, Numbers(10, 10, 0)),
        (Reason.CONCURRENCY_EXHAUSTED, Numbers(1, 1)),
    ]
    assert all(refusal.quota is not None for refusal in refusals)


@given(
    st.lists(
        st.tuples(st.integers(0, 1_200), st.floats(0, 30), st.booleans(), st.integers(-300, 300)), max_size=40
    )
)
def test_no_more_is_lent_than_the_quota_holds(steps: list[tuple[int, float, bool, int]]) -> None:
    accounts, now_seconds, requests, tokens, places = QuotaAccounts(), 0.0, 0, 0, 0
    forced = 0
    for asked, pause_seconds, is_vacated, correction in steps:
        now_seconds += pause_seconds
        try:
            accounts.lend(1, LIMITS, asked, now_seconds)
        except ComptoirError as refusal:
            assert refusal.retry_after_seconds > 0  # noqa: PT017 - one outcome of two
        else:
            requests, tokens, places = requests + 1, tokens + asked, places + 1
            minutes = 1 + now_seconds / 60
            assert requests <= LIMITS.requests_per_minute * minutes + 1e-6
            assert tokens + forced <= LIMITS.tokens_per_minute * minutes + 1e-6
            assert accounts.charge(1, correction, now_seconds) == correction
            forced += correction
        if is_vacated and places:
            accounts.vacate(1)
            places -= 1
        assert accounts.in_flight == places <= LIMITS.concurrency
        accounts.forget_idle(now_seconds)


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
