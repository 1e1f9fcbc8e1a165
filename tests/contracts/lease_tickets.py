"""What a lease is while its tickets are accepted, settled, handed back, released or cancelled."""

from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.lease import (
    Accepted,
    Ending,
    Freed,
    Settled,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.tenancy import Quota
from tests.contracts.leases import (
    PAYER,
    RESERVED_SECONDS,
    Wait,
    accept,
    issue,
    lease,
    process,
    refusal_of,
    remaining_tokens,
    reserve,
    settle,
    unsigned,
)


class LeaseTicketsContract:
    async def test_what_is_said_again_changes_nothing(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        assert await accept(leases, 1) is Accepted.RESERVED
        assert await accept(leases, 1) is Accepted.KNOWN
        assert await settle(leases, 1, 120) is Settled.OPEN
        assert await settle(leases, 1, 300) is Settled.ENDED
        assert await remaining_tokens(leases) == 600 - 120

    async def test_an_unknown_lease_is_answered_and_changes_nothing(self, leases: LeaseStore) -> None:
        assert await leases.release(Identity(9, 9)) == (False, None)
        assert await leases.cancel(Identity(9, 9)) is None
        await unsigned(leases, 9, 1)
        assert await leases.issued(Identity(0, 9)) is None
        assert list(await leases.lose(process())) == []

    async def test_a_released_lease_stays_reserved_until_its_tickets_are_dead(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=500, quota=quota))
        await issue(leases, 1)
        assert await leases.release(Identity(0, 1)) == (True, None)
        assert await leases.release(Identity(0, 1)) == (False, None)
        await wait(RESERVED_SECONDS - 0.1)
        assert await leases.expire() == []
        await wait(0.1)
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        assert await leases.expire() == [Freed(Ending.RELEASED, PAYER, Identity(0, 1))]
        assert await leases.expire() == []
        state = await leases.reserve(lease(2, tokens=600, quota=quota))
        assert state.remaining_tokens == 0

    async def test_a_release_keeps_the_request_counted(self, leases: LeaseStore, wait: Wait) -> None:
        await reserve(leases, 1)
        await issue(leases, 1)
        await leases.release(Identity(0, 1))
        await wait(RESERVED_SECONDS)
        await leases.expire()
        assert (await reserve(leases, 2)).remaining_requests == 1

    async def test_who_releases_and_uses_the_ticket_is_charged_as_if_he_had_not_released(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=500, quota=quota))
        await issue(leases, 1)
        assert await leases.release(Identity(0, 1)) == (True, None)
        assert await accept(leases, 1) is Accepted.RESERVED
        assert await remaining_tokens(leases) == 600 - 500
        await wait(RESERVED_SECONDS)
        assert await leases.expire() == []
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED

    async def test_what_was_accepted_cannot_be_released(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        await accept(leases, 1)
        assert await leases.release(Identity(0, 1)) == (False, None)
        assert await leases.cancel(Identity(0, 1)) is None
        await settle(leases, 1, 120)
        assert await leases.release(Identity(0, 1)) == (False, None)
        assert await remaining_tokens(leases) == 600 - 120

    async def test_every_ticket_of_a_lease_that_was_accepted_is_charged(self, leases: LeaseStore) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=3)
        await leases.reserve(lease(1, tokens=100, quota=quota))
        await issue(leases, 1, attempts=3)
        found = [await accept(leases, 1, attempt) for attempt in (1, 2, 3)]
        assert found == [Accepted.RESERVED, Accepted.NOTHING, Accepted.NOTHING]
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        assert await remaining_tokens(leases) == 600 - 3 * 100
        for attempt in (3, 1, 2):
            assert await settle(leases, 1, 70, attempt) is Settled.OPEN
        assert await remaining_tokens(leases) == 600 - 3 * 70

    async def test_a_ticket_that_is_used_after_another_one_ended_is_charged_too(
        self, leases: LeaseStore
    ) -> None:
        await reserve(leases, 1)
        await issue(leases, 1, attempts=2)
        await accept(leases, 1)
        await settle(leases, 1, 70)
        assert await accept(leases, 1, 2) is Accepted.NOTHING
        assert await remaining_tokens(leases) == 600 - 70 - 100
        assert await settle(leases, 1, 50, 2) is Settled.OPEN
        assert await remaining_tokens(leases) == 600 - 70 - 50

    async def test_a_ticket_that_a_failed_replica_hands_back_leaves_the_next_one_its_reservation(
        self, leases: LeaseStore
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=500, quota=quota))
        await issue(leases, 1, attempts=2)
        await accept(leases, 1)
        assert await settle(leases, 1, 0, is_unserved=True) is Settled.HANDED_BACK
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        assert await accept(leases, 1, 2) is Accepted.RESERVED
        assert await settle(leases, 1, 120, 2) is Settled.OPEN
        assert await remaining_tokens(leases) == 600 - 120

    async def test_a_lease_whose_tickets_are_all_used_up_is_over_when_the_last_one_failed(
        self, leases: LeaseStore
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1, attempts=3)
        for attempt in (1, 2):
            assert await settle(leases, 1, 0, attempt, is_unserved=True) is Settled.HANDED_BACK
        await accept(leases, 1, 3)
        assert await settle(leases, 1, 0, 3, is_unserved=True) is Settled.OPEN
        assert await leases.release(Identity(0, 1)) == (False, None)
        assert await remaining_tokens(leases) == 600

    async def test_a_handed_back_lease_can_be_released(self, leases: LeaseStore, wait: Wait) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1, attempts=2)
        await accept(leases, 1)
        await settle(leases, 1, 0, is_unserved=True)
        assert await leases.release(Identity(0, 1)) == (True, None)
        await wait(RESERVED_SECONDS)
        assert await leases.expire() == [Freed(Ending.RELEASED, PAYER, Identity(0, 1))]
        assert await remaining_tokens(leases) == 600

    async def test_a_lease_with_another_ticket_in_use_cannot_be_released(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=100)
        await issue(leases, 1, attempts=3)
        await accept(leases, 1)
        await accept(leases, 1, 2)
        assert await settle(leases, 1, 0, is_unserved=True) is Settled.HANDED_BACK
        assert await leases.release(Identity(0, 1)) == (False, None)
        assert await leases.cancel(Identity(0, 1)) is None
        await settle(leases, 1, 70, 2)
        assert await leases.release(Identity(0, 1)) == (True, None)

    async def test_a_cancelled_lease_leaves_no_trace(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        assert await leases.cancel(Identity(0, 1)) == Freed(Ending.CANCELLED, PAYER, Identity(0, 1))
        assert await leases.cancel(Identity(0, 1)) is None
        state = await reserve(leases, 2, tokens=1)
        assert (state.remaining_requests, state.remaining_tokens) == (2, 599)
