"""What a lease takes of a tenant, of a day, of a month and of a budget, and what is known of it later."""

import asyncio

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import QuotaState
from services.router.domain.lease import Settled
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Payer, Quotas
from services.router.domain.spending import Subject, SubjectKind, day_of, month_of
from services.router.domain.tenancy import UNLIMITED, Quota
from tests.contracts.leases import PAYER, TENANT, Wait, accept, issue, lease, process, refusal_of, settle

# By the clock of every store at the beginning of a test.
DAY = day_of(1_790_000_000_000)
MONTH = month_of(DAY)
DAY_SECONDS = 86_400.0
CENT = 10_000_000
DAILY = Quota(tokens_per_day=600)
KEY, OF_TENANT = Subject(SubjectKind.KEY, 1), Subject(SubjectKind.TENANT, TENANT)


class LeaseSpendingContract:
    async def test_two_keys_share_what_their_tenant_has(self, leases: LeaseStore) -> None:
        tenant = Quota(requests_per_minute=3, tokens_per_minute=600, concurrency=2)
        state = await leases.reserve(lease(1, tokens=400, quota=UNLIMITED, of_tenant=tenant))
        assert (state.limit_tokens, state.remaining_tokens, state.remaining_requests) == (600, 200, 2)
        await leases.reserve(lease(2, tokens=200, quota=UNLIMITED, of_tenant=tenant, key=2))
        refusal = await refusal_of(leases, lease(3, tokens=0, quota=UNLIMITED, of_tenant=tenant, key=2))
        assert (refusal.reason, refusal.is_of_tenant) == (Reason.CONCURRENCY_EXHAUSTED, True)
        refusal = await refusal_of(leases, lease(3, tokens=300, quota=UNLIMITED, of_tenant=tenant))
        assert (refusal.reason, refusal.is_of_tenant) == (Reason.TOKENS_EXHAUSTED, True)
        assert refusal.retry_after_seconds == pytest.approx(30)

    async def test_a_refusal_by_the_tenant_takes_nothing_of_the_key(self, leases: LeaseStore) -> None:
        key, tenant = Quota(requests_per_minute=1, tokens_per_day=100), Quota(tokens_per_day=50)
        await refusal_of(leases, lease(1, tokens=60, quota=key, of_tenant=tenant))
        state = await leases.reserve(lease(2, tokens=50, quota=key, of_tenant=tenant))
        assert state.remaining_requests == 0

    async def test_racing_reservations_of_two_routers_never_oversell_a_tenant(
        self, leases: LeaseStore, elsewhere: LeaseStore
    ) -> None:
        tenant = Quota(tokens_per_month=500)
        asked = [
            (one.reserve(lease(number, quota=UNLIMITED, of_tenant=tenant, key=1 + number % 2)))
            for one, numbers in ((leases, range(20)), (elsewhere, range(20, 40)))
            for number in numbers
        ]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(result, QuotaState) for result in results) == 5

    async def test_a_day_is_over_at_midnight(self, leases: LeaseStore, wait: Wait) -> None:
        await leases.reserve(lease(1, tokens=600, quota=DAILY))
        await settle(leases, 1, 500)
        refusal = await refusal_of(leases, lease(2, tokens=101, quota=DAILY))
        assert refusal.reason is Reason.DAY_TOKENS_EXHAUSTED
        assert (refusal.numbers.limit, refusal.numbers.requested, refusal.numbers.available) == (
            600,
            101,
            100,
        )
        await wait(refusal.retry_after_seconds - 0.001)
        await refusal_of(leases, lease(2, tokens=101, quota=DAILY))
        await wait(0.001)
        await leases.reserve(lease(2, tokens=600, quota=DAILY))

    async def test_a_months_tokens_and_money_outlast_the_day(self, leases: LeaseStore, wait: Wait) -> None:
        tokens, money = Quota(tokens_per_month=600), Quota(money_per_month_cents=10)
        await leases.reserve(lease(1, tokens=500, nanos=9 * CENT, quota=tokens, of_tenant=money))
        await settle(leases, 1, 500, nanos=9 * CENT)
        await wait(DAY_SECONDS)
        refusal = await refusal_of(leases, lease(2, tokens=101, quota=tokens, of_tenant=money))
        assert (refusal.reason, refusal.is_of_tenant) == (Reason.MONTH_TOKENS_EXHAUSTED, False)
        refusal = await refusal_of(leases, lease(2, nanos=2 * CENT, quota=tokens, of_tenant=money))
        assert (refusal.reason, refusal.is_of_tenant) == (Reason.BUDGET_EXHAUSTED, True)
        assert (refusal.numbers.limit, refusal.numbers.requested, refusal.numbers.available) == (10, 2, 1)
        await wait(refusal.retry_after_seconds)
        await leases.reserve(lease(2, tokens=600, nanos=10 * CENT, quota=tokens, of_tenant=money))

    async def test_what_is_in_flight_at_midnight_is_held_and_charged_in_the_new_day(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        await leases.reserve(lease(1, tokens=400, quota=DAILY))
        await issue(leases, 1)
        await accept(leases, 1)
        await wait(DAY_SECONDS)
        await refusal_of(leases, lease(2, tokens=201, quota=DAILY))
        assert await settle(leases, 1, 100) is Settled.OPEN
        assert (await leases.spending(TENANT, 1)).day_tokens == 100
        await leases.reserve(lease(2, tokens=500, quota=DAILY))

    async def test_what_is_lost_stays_held_until_its_time_is_over_and_is_spent_then(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        await leases.reserve(lease(1, tokens=400, nanos=7, quota=DAILY))
        await issue(leases, 1)
        await accept(leases, 1)
        await leases.lose(process())
        await refusal_of(leases, lease(2, tokens=201, quota=DAILY))
        await wait(600.0)
        await leases.expire()
        told = await leases.spending(TENANT, 1)
        assert (told.day_tokens, told.month_tokens, told.month_money_nanos) == (400, 400, 7)

    async def test_what_was_not_used_is_not_spent(self, leases: LeaseStore) -> None:
        await leases.reserve(lease(1, tokens=400, quota=DAILY))
        await leases.cancel(lease(1).lease_id)
        assert (await leases.spending(TENANT, 1)).month_tokens == 0
        await leases.reserve(lease(2, tokens=600, quota=DAILY))

    async def test_a_settlement_of_an_unknown_lease_is_charged_to_key_and_tenant(
        self, leases: LeaseStore
    ) -> None:
        assert await settle(leases, 1, 70, nanos=5) is Settled.NOTHING
        for told in (await leases.spending(TENANT, 1), await leases.spending(TENANT)):
            assert (told.day_tokens, told.month_money_nanos) == (70, 5)

    async def test_a_request_without_a_lease_is_one_of_the_tenants_too(self, leases: LeaseStore) -> None:
        quotas = Quotas(UNLIMITED, Quota(requests_per_minute=1, tokens_per_day=1))
        assert (await leases.spend_request(PAYER, quotas)).remaining_requests == 0
        with pytest.raises(ComptoirError) as refusal:
            await leases.spend_request(Payer(TENANT, 2), quotas)
        assert (refusal.value.reason, refusal.value.is_of_tenant) == (Reason.REQUESTS_EXHAUSTED, True)
