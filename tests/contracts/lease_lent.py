"""What a router lent while it could not reach the store, and tells it once it can."""

from dataclasses import replace

from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.lease import Ending, Freed, Reservation, Settled
from services.router.domain.ports import LeaseStore
from services.router.domain.tenancy import Quota
from tests.contracts.leases import (
    PAYER,
    QUOTA,
    RESERVED_SECONDS,
    Wait,
    issue,
    lease,
    refusal_of,
    remaining_tokens,
    reserve,
    settle,
)


def lent(number: int, *, tokens: int = 100, quota: Quota = QUOTA) -> Reservation:
    return replace(lease(number, tokens=tokens, quota=quota), is_lent=True)


class LeaseLentContract:
    async def test_what_was_lent_already_is_taken_without_asking(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=600)
        await reserve(leases, 2, tokens=0)
        state = await leases.reserve(lent(3, tokens=500))
        assert (state.remaining_requests, state.remaining_tokens) == (0, 0)
        state = await leases.reserve(lent(4, tokens=0))
        # 600 and 500 tokens were taken, and four requests and places: of requests, one more than there are.
        assert state.reset_requests_seconds > 60
        assert state.reset_tokens_seconds > 100
        for number in (1, 2):
            await settle(leases, number, 0)
        assert (await refusal_of(leases, lease(5, quota=Quota(concurrency=2)))).reason is (
            Reason.CONCURRENCY_EXHAUSTED
        )
        await settle(leases, 3, 0)
        await reserve(leases, 6, quota=Quota(concurrency=2))  # type: ignore[arg-type]

    async def test_it_is_taken_once_however_often_it_is_told(self, leases: LeaseStore) -> None:
        for _ in range(3):
            state = await leases.reserve(lent(1, tokens=500))
            assert (state.remaining_requests, state.remaining_tokens) == (2, 100)
        await issue(leases, 1)
        assert await settle(leases, 1, 120) is Settled.OPEN
        state = await leases.reserve(lent(1, tokens=500))
        assert (state.remaining_requests, state.remaining_tokens) == (2, 600 - 120)
        assert await settle(leases, 1, 120) is Settled.ENDED
        assert await remaining_tokens(leases) == 600 - 120

    async def test_told_again_after_its_end_it_takes_no_place(self, leases: LeaseStore, wait: Wait) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lent(1, quota=quota))
        await wait(RESERVED_SECONDS)
        assert await leases.expire() == [Freed(Ending.EXPIRED, PAYER, Identity(0, 1))]
        await leases.reserve(lent(1, quota=quota))
        assert (await leases.reserve(lease(2, quota=quota))).remaining_tokens == 500
