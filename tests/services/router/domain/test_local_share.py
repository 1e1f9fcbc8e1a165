"""The shares of all routers are no more than the limit, and begin with nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.amount import Amount
from services.router.domain.local_share import ShareAccounts, share_of, shares_of
from services.router.domain.quota import Payer, Quotas
from services.router.domain.tenancy import UNLIMITED, Quota

LIMITS = st.integers(0, 2**32 - 1) | st.integers(0, 100)


@given(LIMITS, LIMITS, LIMITS, st.integers(1, 64))
def test_shares_add_up_to_the_limit_at_most(
    requests: int, tokens: int, concurrency: int, routers: int
) -> None:
    quota = Quota(requests_per_minute=requests, tokens_per_minute=tokens, concurrency=concurrency)
    share = share_of(quota, routers)
    if share is None:
        assert any(0 < limit < routers for _, limit in quota)
        return
    for (_, limit), (_, part) in zip(quota, share, strict=True):
        # 0 is no limit: no limit becomes none.
        assert (part == 0) == (limit == 0)
        assert limit - routers < part * routers <= limit


def test_a_key_with_fewer_places_than_there_are_routers_has_no_share() -> None:
    assert share_of(Quota(concurrency=2), 3) is None
    assert share_of(Quota(concurrency=3), 3) == Quota(concurrency=1)


def test_an_account_begins_with_nothing_and_fills_from_the_beginning_of_the_outage() -> None:
    clock = ManualClock(monotonic_seconds=1_000.0)
    quotas = Quotas(Quota(requests_per_minute=60, tokens_per_minute=600), UNLIMITED)
    accounts, amount = ShareAccounts(clock), Amount(10)
    clock.advance(0.5)
    with pytest.raises(ComptoirError) as refusal:
        accounts.lend(Payer(1, 1), quotas, amount)
    assert refusal.value.reason is Reason.REQUESTS_EXHAUSTED
    assert refusal.value.retry_after_seconds == pytest.approx(0.5)
    clock.advance(0.5)
    assert accounts.lend(Payer(1, 1), quotas, amount)[0].remaining_requests == 0
    # Another key is as old as the outage, whenever it is asked for first.
    clock.advance(29.0)
    assert accounts.lend(Payer(1, 2), quotas, amount)[0].remaining_requests == 29


@pytest.mark.parametrize(
    "quota", [Quota(tokens_per_day=10**9), Quota(tokens_per_month=10**9), Quota(money_per_month_cents=10**6)]
)
def test_nobody_lends_of_a_day_a_month_or_a_budget_of_which_only_the_store_knows_what_is_spent(
    quota: Quota,
) -> None:
    assert shares_of(Quotas(quota, UNLIMITED), 1, 2) is None
    assert shares_of(Quotas(UNLIMITED, quota), 1, 2) is None


def test_a_tenant_has_its_share_too_and_a_request_fits_into_both() -> None:
    quotas = Quotas(Quota(tokens_per_minute=100), Quota(tokens_per_minute=60, concurrency=4))
    assert shares_of(quotas, 30, 2) == Quotas(
        Quota(tokens_per_minute=50), Quota(tokens_per_minute=30, concurrency=2)
    )
    assert shares_of(quotas, 31, 2) is None
