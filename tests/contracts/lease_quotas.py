"""What a lease takes of its key's quota, and what its settlement charges."""

import asyncio

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.quota import QuotaState
from services.router.domain.lease import (
    Accepted,
    Settled,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Quotas
from services.router.domain.tenancy import UNLIMITED, Quota
from tests.contracts.leases import (
    PAYER,
    QUOTA,
    Wait,
    accept,
    issue,
    lease,
    refusal_of,
    remaining_tokens,
    reserve,
    settle,
)


class LeaseQuotasContract:
    async def test_a_reservation_says_what_is_left(self, leases: LeaseStore) -> None:
        state = await reserve(leases, 1)
        assert (state.limit_requests, state.remaining_requests) == (3, 2)
        assert (state.limit_tokens, state.remaining_tokens) == (600, 500)
        assert state.reset_requests_seconds == pytest.approx(20)
        assert state.reset_tokens_seconds == pytest.approx(10)

    async def test_requests_come_back_evenly(self, leases: LeaseStore, wait: Wait) -> None:
        for number in (1, 2, 3):
            await reserve(leases, number)
            await settle(leases, number, 0)
        refusal = await refusal_of(leases, lease(4))
        assert refusal.reason is Reason.REQUESTS_EXHAUSTED
        assert refusal.retry_after_seconds == pytest.approx(20)
        await wait(20.001)
        await reserve(leases, 4)

    async def test_tokens_beyond_the_quota_are_refused_with_the_wait(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        refusal = await refusal_of(leases, lease(2, tokens=200))
        assert refusal.reason is Reason.TOKENS_EXHAUSTED
        assert refusal.retry_after_seconds == pytest.approx(10)

    async def test_a_request_larger_than_the_quota_is_always_refused(self, leases: LeaseStore) -> None:
        assert (await refusal_of(leases, lease(1, tokens=601))).reason is Reason.TOKENS_EXHAUSTED

    async def test_a_refusal_takes_nothing(self, leases: LeaseStore) -> None:
        await refusal_of(leases, lease(1, tokens=601))
        state = await reserve(leases, 2, tokens=600)
        assert (state.remaining_requests, state.remaining_tokens) == (2, 0)

    async def test_a_request_without_a_lease_takes_no_tokens_and_no_place(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=600)
        quota = Quota(requests_per_minute=3, tokens_per_minute=600, concurrency=1)
        state = await leases.spend_request(PAYER, Quotas(quota, UNLIMITED))
        assert (state.remaining_requests, state.remaining_tokens) == (1, 0)
        await leases.spend_request(PAYER, Quotas(quota, UNLIMITED))
        with pytest.raises(ComptoirError) as refusal:
            await leases.spend_request(PAYER, Quotas(quota, UNLIMITED))
        assert refusal.value.reason is Reason.REQUESTS_EXHAUSTED
        assert refusal.value.retry_after_seconds == pytest.approx(20)

    async def test_a_request_without_a_lease_is_let_through_whatever_its_key_owes(
        self, leases: LeaseStore
    ) -> None:
        await reserve(leases, 1)
        await settle(leases, 1, 700)
        state = await leases.spend_request(PAYER, Quotas(QUOTA, UNLIMITED))
        assert (state.remaining_requests, state.remaining_tokens) == (1, 0)

    async def test_requests_in_flight_are_bounded(self, leases: LeaseStore) -> None:
        await reserve(leases, 1)
        await reserve(leases, 2)
        assert (await refusal_of(leases, lease(3))).reason is Reason.CONCURRENCY_EXHAUSTED
        await settle(leases, 1, 10)
        await reserve(leases, 3)

    async def test_racing_reservations_of_two_routers_never_oversell(
        self, leases: LeaseStore, elsewhere: LeaseStore
    ) -> None:
        quota = Quota(concurrency=5)
        results = await asyncio.gather(
            *(leases.reserve(lease(number, quota=quota)) for number in range(20)),
            *(elsewhere.reserve(lease(number, quota=quota)) for number in range(20, 40)),
            return_exceptions=True,
        )
        assert sum(isinstance(result, QuotaState) for result in results) == 5

    async def test_zero_means_no_limit(self, leases: LeaseStore) -> None:
        for number in range(100):
            state = await leases.reserve(lease(number, quota=Quota(), tokens=10**9))
        assert (state.limit_requests, state.limit_tokens, state.reset_tokens_seconds) == (0, 0, 0)

    async def test_keys_do_not_share_quota(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=600)
        await reserve(leases, 2, tokens=600, key=2)

    async def test_a_settlement_charges_what_was_used(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        assert await accept(leases, 1) is Accepted.RESERVED
        assert await settle(leases, 1, 120) is Settled.OPEN
        assert await remaining_tokens(leases) == 600 - 120

    async def test_a_settlement_that_overtakes_the_acceptance_counts_once(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        assert await settle(leases, 1, 120) is Settled.OPEN
        assert await accept(leases, 1) is Accepted.ENDED
        assert await remaining_tokens(leases) == 600 - 120

    async def test_a_settlement_beyond_the_lease_is_charged_in_full(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=100)
        await settle(leases, 1, 700)
        refusal = await refusal_of(leases, lease(2, tokens=1))
        assert refusal.reason is Reason.TOKENS_EXHAUSTED
        assert refusal.retry_after_seconds == pytest.approx(10.1)

    async def test_what_was_lent_without_a_limit_gives_nothing_back_to_one(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        limited = Quota(tokens_per_minute=600)
        for number in (1, 2, 3):
            await leases.reserve(lease(number, quota=Quota(), tokens=500))
            await issue(leases, number)
            await accept(leases, number)
        await leases.reserve(lease(4, quota=limited, tokens=0))
        await wait(60)
        await leases.reserve(lease(5, quota=limited, tokens=600))
        await settle(leases, 1, 10)
        refusal = await refusal_of(leases, lease(6, quota=limited, tokens=1))
        assert refusal.reason is Reason.TOKENS_EXHAUSTED
