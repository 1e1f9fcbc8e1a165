"""When another ticket of a lease is signed, what it reserves, and how a lease waits for the question."""

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.domain.lease import (
    HANDED_BACK_SECONDS,
    Accepted,
    Ending,
    Freed,
    Issued,
    Settled,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.tenancy import Quota
from tests.contracts.leases import (
    PAYER,
    RESERVED_SECONDS,
    Wait,
    accept,
    called_back,
    claims,
    issue,
    lease,
    process,
    refusal_of,
    remaining_tokens,
    reserve,
    settle,
    sign,
    unsigned,
)


class LeaseFurtherTicketsContract:
    @pytest.mark.parametrize("is_accepted", [True, False])
    async def test_a_lease_that_is_released_is_over_when_its_replica_hands_it_back(
        self, leases: LeaseStore, *, is_accepted: bool
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        if is_accepted:
            await accept(leases, 1)
        assert await leases.release(Identity(0, 1)) == (not is_accepted, None)
        assert await settle(leases, 1, 0, is_unserved=True) is Settled.OPEN
        assert await leases.release(Identity(0, 1)) == (False, None)
        assert await remaining_tokens(leases) == 600

    @pytest.mark.parametrize("used_tokens", [0, 80])
    async def test_a_released_lease_is_over_once_each_replica_has_said_that_it_accepted_none_of_its_tickets(
        self, leases: LeaseStore, used_tokens: int
    ) -> None:
        """They name no ticket; one that accepted its own keeps the place and is charged."""
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1, attempts=2)
        assert await leases.release(Identity(0, 1)) == (True, None)
        assert await leases.settle(called_back(1, attempt=1)) == (Settled.HANDED_BACK, None)
        if used_tokens:
            assert await accept(leases, 1, attempt=2) is Accepted.RESERVED
            # Said again, as after a stream that broke.
            assert (await leases.settle(called_back(1, attempt=1)))[1] is None
            assert await settle(leases, 1, used_tokens, attempt=2) is Settled.OPEN
        else:
            freed = Freed(Ending.SETTLED, PAYER, Identity(0, 1))
            assert await leases.settle(called_back(1, attempt=2)) == (Settled.OPEN, freed)
            assert await accept(leases, 1, attempt=2) is Accepted.ENDED
        assert (await leases.settle(called_back(1, attempt=1)))[1] is None
        assert await remaining_tokens(leases) == 600 - used_tokens

    async def test_a_lease_that_its_replica_handed_back_waits_a_moment_for_its_caller_to_ask(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        await accept(leases, 1)
        await wait(RESERVED_SECONDS)
        assert await settle(leases, 1, 0, is_unserved=True) is Settled.HANDED_BACK
        await wait(HANDED_BACK_SECONDS - 0.1)
        assert await leases.expire() == []
        await wait(0.1)
        assert await leases.expire() == [Freed(Ending.EXPIRED, PAYER, Identity(0, 1))]
        assert await remaining_tokens(leases) == 600

    async def test_a_lease_that_its_replica_handed_back_is_over_when_its_caller_releases_it(
        self, leases: LeaseStore
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        await settle(leases, 1, 0, is_unserved=True)
        freed = Freed(Ending.RELEASED, PAYER, Identity(0, 1))
        assert await leases.release(Identity(0, 1)) == (True, freed)
        assert await remaining_tokens(leases) == 600

    async def test_another_ticket_of_a_lease_is_drafted_from_the_last_one(
        self, leases: LeaseStore, elsewhere: LeaseStore
    ) -> None:
        await reserve(leases, 1)
        assert await leases.issued(Identity(0, 1)) is None
        await issue(leases, 1)
        for attempt in (1, 2):
            tried = tuple(process(number) for number in range(1, attempt + 1))
            assert await elsewhere.issued(Identity(0, 1)) == Issued(claims(1, attempt), tried)
            await sign(elsewhere, 1, attempt + 1)
        assert await leases.issued(Identity(0, 1)) is None

    async def test_no_ticket_of_a_lease_is_signed_twice_nor_more_than_three(
        self, leases: LeaseStore, elsewhere: LeaseStore
    ) -> None:
        await reserve(leases, 1)
        await unsigned(leases, 1, 2)
        for attempt in (1, 2, 3):
            assert await sign(leases, 1, attempt) is False
            await unsigned(elsewhere, 1, attempt)
        await unsigned(leases, 1, 4)

    async def test_another_ticket_gives_a_lease_its_time_anew(self, leases: LeaseStore, wait: Wait) -> None:
        await reserve(leases, 1)
        await issue(leases, 1)
        await wait(RESERVED_SECONDS - 0.1)
        await sign(leases, 1, 2)
        await wait(RESERVED_SECONDS - 0.1)
        assert await leases.expire() == []
        assert await accept(leases, 1, 2) is Accepted.RESERVED

    async def test_a_lease_that_was_released_or_has_ended_gets_no_other_ticket(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        for number in (1, 2):
            await reserve(leases, number)
            await issue(leases, number)
        await leases.release(Identity(0, 1))
        await unsigned(leases, 1, 2)
        await accept(leases, 2)
        await settle(leases, 2, 50)
        await unsigned(leases, 2, 2)
        await reserve(leases, 3)
        await issue(leases, 3)
        await wait(RESERVED_SECONDS)
        await leases.expire()
        await unsigned(leases, 3, 2)

    async def test_a_ticket_after_one_that_was_accepted_reserves_anew_whatever_is_left(
        self, leases: LeaseStore
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=400, quota=quota))
        await issue(leases, 1)
        await accept(leases, 1)
        assert await sign(leases, 1, 2) is True
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.TOKENS_EXHAUSTED
        assert refusal.retry_after_seconds == pytest.approx(20.1)
        await settle(leases, 1, 0, is_unserved=True)
        assert await remaining_tokens(leases) == 600 - 400
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        assert await accept(leases, 1, 2) is Accepted.RESERVED
        assert await settle(leases, 1, 120, 2) is Settled.OPEN
        assert (await leases.reserve(lease(2, tokens=1, quota=quota))).remaining_tokens == 600 - 120 - 1

    @pytest.mark.parametrize(
        ("quota", "reason"),
        [
            (Quota(tokens_per_minute=600, concurrency=1), Reason.CONCURRENCY_EXHAUSTED),
            (Quota(tokens_per_minute=600, concurrency=9), Reason.TOKENS_EXHAUSTED),
        ],
    )
    async def test_a_ticket_beside_one_that_is_held_takes_no_more_than_the_key_has_left(
        self, leases: LeaseStore, quota: Quota, reason: Reason
    ) -> None:
        tokens = 200 if reason is Reason.CONCURRENCY_EXHAUSTED else 400
        await leases.reserve(lease(1, tokens=tokens, quota=quota))
        await issue(leases, 1)
        await accept(leases, 1)
        with pytest.raises(ComptoirError) as refusal:
            await sign(leases, 1, 2, quota)
        assert refusal.value.reason is reason
        assert await leases.issued(Identity(0, 1)) == Issued(claims(1, 1), (process(1),), (process(1),))
        assert await remaining_tokens(leases) == 600 - tokens
        await settle(leases, 1, 0, is_unserved=True)
        assert await sign(leases, 1, 2, quota) is False
        await settle(leases, 1, tokens, 2)
        assert await remaining_tokens(leases) == 600 - tokens

    async def test_a_ticket_after_one_whose_process_is_gone_reserves_anew(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        await reserve(leases, 1, tokens=200)
        await issue(leases, 1)
        await accept(leases, 1)
        await leases.lose(process(1))
        assert await sign(leases, 1, 2) is True
        await wait(RESERVED_SECONDS)
        assert await leases.expire() == [Freed(Ending.EXPIRED, PAYER, Identity(0, 1))]
        assert await settle(leases, 1, 0) is Settled.LOST
        assert await remaining_tokens(leases) == 600
