"""What every lease store promises; a test module gives a fixture `leases` and inherits this class."""

import asyncio

import pytest

from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Reservation, Settled
from services.router.domain.tenancy import Quota
from services.runtime.errors import ComptoirError, Reason
from services.runtime.identity import Identity
from services.runtime.quota import QuotaState

NOW = 1_000.0
QUOTA = Quota(requests_per_minute=3, tokens_per_minute=600, concurrency=2)


def lease(number: int, *, tokens: int = 100, quota: Quota = QUOTA, key: int = 1) -> Reservation:
    return Reservation(Identity(0, number), key, quota, tokens, NOW + 600)


async def reserve(leases: LeaseStore, number: int, *, now_seconds: float = NOW, **fields: int) -> QuotaState:
    return await leases.reserve(lease(number, **fields), now_seconds)  # type: ignore[arg-type]


async def refusal_of(leases: LeaseStore, reservation: Reservation, now_seconds: float = NOW) -> ComptoirError:
    with pytest.raises(ComptoirError) as refusal:
        await leases.reserve(reservation, now_seconds)
    return refusal.value


class LeaseStoreContract:
    async def test_a_reservation_says_what_is_left(self, leases: LeaseStore) -> None:
        state = await reserve(leases, 1)
        assert (state.limit_requests, state.remaining_requests) == (3, 2)
        assert (state.limit_tokens, state.remaining_tokens) == (600, 500)
        assert state.reset_requests_seconds == pytest.approx(20)
        assert state.reset_tokens_seconds == pytest.approx(10)

    async def test_requests_come_back_evenly(self, leases: LeaseStore) -> None:
        for number in (1, 2, 3):
            await reserve(leases, number)
            await leases.settle(Identity(0, number), 0, NOW)
        refusal = await refusal_of(leases, lease(4))
        assert refusal.reason is Reason.REQUESTS_EXHAUSTED
        assert refusal.retry_after_seconds == pytest.approx(20)
        await reserve(leases, 4, now_seconds=NOW + 20.001)

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

    async def test_requests_in_flight_are_bounded(self, leases: LeaseStore) -> None:
        await reserve(leases, 1)
        await reserve(leases, 2)
        assert (await refusal_of(leases, lease(3))).reason is Reason.CONCURRENCY_EXHAUSTED
        await leases.settle(Identity(0, 1), 10, NOW)
        await reserve(leases, 3)

    async def test_racing_reservations_never_oversell(self, leases: LeaseStore) -> None:
        quota = Quota(concurrency=5)
        results = await asyncio.gather(
            *(leases.reserve(lease(number, quota=quota), NOW) for number in range(20)), return_exceptions=True
        )
        assert sum(isinstance(result, QuotaState) for result in results) == 5

    async def test_zero_means_no_limit(self, leases: LeaseStore) -> None:
        for number in range(100):
            state = await leases.reserve(lease(number, quota=Quota(), tokens=10**9), NOW)
        assert (state.limit_requests, state.limit_tokens, state.reset_tokens_seconds) == (0, 0, 0)

    async def test_keys_do_not_share_quota(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=600)
        await reserve(leases, 2, tokens=600, key=2)

    async def test_a_settlement_charges_what_was_used(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        assert await leases.settle(Identity(0, 1), 120, NOW) is Settled.OPEN
        assert (await reserve(leases, 2, tokens=1)).remaining_tokens == 600 - 120 - 1

    async def test_a_settlement_beyond_the_lease_is_charged_in_full(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=100)
        await leases.settle(Identity(0, 1), 700, NOW)
        refusal = await refusal_of(leases, lease(2, tokens=1))
        assert refusal.reason is Reason.TOKENS_EXHAUSTED
        assert refusal.retry_after_seconds == pytest.approx(10.1)

    async def test_a_second_settlement_changes_nothing(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await leases.settle(Identity(0, 1), 120, NOW)
        assert await leases.settle(Identity(0, 1), 300, NOW) is Settled.UNKNOWN
        assert (await reserve(leases, 2, tokens=1)).remaining_tokens == 600 - 120 - 1

    async def test_an_unknown_lease_is_answered_and_changes_nothing(self, leases: LeaseStore) -> None:
        assert await leases.settle(Identity(9, 9), 10, NOW) is Settled.UNKNOWN
        assert await leases.release(Identity(9, 9), NOW) is False
        assert await leases.cancel(Identity(9, 9), NOW) is False

    async def test_a_release_gives_tokens_back_and_keeps_the_request_counted(
        self, leases: LeaseStore
    ) -> None:
        await reserve(leases, 1, tokens=500)
        assert await leases.release(Identity(0, 1), NOW) is True
        assert await leases.release(Identity(0, 1), NOW) is False
        state = await reserve(leases, 2, tokens=1)
        assert (state.remaining_requests, state.remaining_tokens) == (1, 599)

    async def test_a_settled_lease_stays_settled(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await leases.settle(Identity(0, 1), 120, NOW)
        assert await leases.release(Identity(0, 1), NOW) is False
        assert (await reserve(leases, 2, tokens=1)).remaining_tokens == 600 - 120 - 1

    async def test_who_releases_and_uses_the_ticket_is_charged_once(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await leases.release(Identity(0, 1), NOW)
        assert await leases.settle(Identity(0, 1), 120, NOW) is Settled.RELEASED
        assert await leases.settle(Identity(0, 1), 120, NOW) is Settled.UNKNOWN
        assert (await reserve(leases, 2, tokens=1)).remaining_tokens == 600 - 120 - 1

    async def test_a_cancelled_lease_leaves_no_trace(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        assert await leases.cancel(Identity(0, 1), NOW) is True
        assert await leases.cancel(Identity(0, 1), NOW) is False
        state = await reserve(leases, 2, tokens=1)
        assert (state.remaining_requests, state.remaining_tokens) == (2, 599)

    async def test_a_lease_that_nobody_settles_expires_with_its_tokens_charged(
        self, leases: LeaseStore
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=600, quota=quota), NOW)
        assert await leases.expire(NOW + 599) == []
        assert await leases.expire(NOW + 600) == [Identity(0, 1)]
        assert await leases.expire(NOW + 600) == []
        assert await leases.settle(Identity(0, 1), 10, NOW + 601) is Settled.UNKNOWN
        await leases.reserve(lease(2, tokens=600, quota=quota), NOW + 601)

    async def test_a_lost_lease_frees_its_place_and_stays_charged(self, leases: LeaseStore) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=500, quota=quota), NOW)
        assert await leases.lose([Identity(0, 1), Identity(9, 9)]) == 1
        assert await leases.lose([Identity(0, 1)]) == 0
        assert (await leases.reserve(lease(2, tokens=1, quota=quota), NOW)).remaining_tokens == 99

    async def test_a_lost_lease_that_another_replica_served_is_charged_what_was_used(
        self, leases: LeaseStore
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await leases.lose([Identity(0, 1)])
        assert await leases.settle(Identity(0, 1), 120, NOW) is Settled.LOST
        assert await leases.settle(Identity(0, 1), 120, NOW) is Settled.UNKNOWN
        assert (await reserve(leases, 2, tokens=1)).remaining_tokens == 600 - 120 - 1

    async def test_a_lost_lease_that_nobody_used_gives_its_tokens_back(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await leases.lose([Identity(0, 1)])
        assert await leases.release(Identity(0, 1), NOW) is False
        assert (await reserve(leases, 2, tokens=1)).remaining_tokens == 599

    async def test_a_lost_lease_is_forgotten_when_it_would_have_expired(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await leases.lose([Identity(0, 1)])
        assert await leases.expire(NOW + 600) == []
        assert await leases.settle(Identity(0, 1), 120, NOW + 600) is Settled.UNKNOWN
