"""How a lease ends that time, a lost process or another router ends."""

from services.kernel.errors import Reason
from services.kernel.identity import Identity
from services.router.domain.amount import Amount
from services.router.domain.lease import (
    Accepted,
    Ending,
    Freed,
    Settled,
    Settlement,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Payer
from services.router.domain.tenancy import Quota
from tests.contracts.leases import (
    ACCEPTED_SECONDS,
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
    ticket,
)


class LeaseEndsContract:
    async def test_a_lease_that_nobody_accepts_ends_with_its_tickets_and_costs_nothing(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=600, quota=quota))
        await issue(leases, 1)
        await wait(RESERVED_SECONDS - 0.1)
        assert await leases.expire() == []
        await wait(0.1)
        assert await leases.expire() == [Freed(Ending.EXPIRED, PAYER, Identity(0, 1))]
        state = await leases.reserve(lease(2, tokens=600, quota=quota))
        assert state.remaining_tokens == 0

    async def test_a_lease_has_its_whole_time_from_its_ticket_on_and_not_longer(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await wait(1.0)
        await issue(leases, 1)
        await wait(RESERVED_SECONDS - 0.1)
        assert await leases.expire() == []
        await wait(0.1)
        assert await leases.expire() == [Freed(Ending.EXPIRED, PAYER, Identity(0, 1))]

    async def test_an_acceptance_that_comes_after_the_end_is_charged_all_the_same(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, quota=quota))
        await issue(leases, 1)
        await wait(RESERVED_SECONDS)
        await leases.expire()
        assert await accept(leases, 1) is Accepted.NOTHING
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        assert await settle(leases, 1, 120) is Settled.OPEN
        assert await remaining_tokens(leases) == 600 - 120

    async def test_a_settlement_of_a_lease_that_ended_is_charged_to_its_key(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        await reserve(leases, 1)
        await issue(leases, 1)
        await wait(RESERVED_SECONDS)
        await leases.expire()
        await reserve(leases, 2, tokens=1)
        assert await settle(leases, 1, 120) is Settled.NOTHING
        assert await settle(leases, 1, 120) is Settled.ENDED
        assert await remaining_tokens(leases) == 600 - 1 - 120

    async def test_what_runs_is_counted_by_a_store_that_forgot_everything(self, leases: LeaseStore) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        assert await accept(leases, 1) is Accepted.NOTHING
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        assert await settle(leases, 1, 120) is Settled.OPEN
        assert (await leases.reserve(lease(2, tokens=1, quota=quota))).remaining_tokens == 600 - 120 - 1

    async def test_an_accepted_lease_that_nobody_settles_expires_with_its_tokens_charged(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=600, quota=quota))
        await issue(leases, 1)
        await accept(leases, 1)
        await wait(ACCEPTED_SECONDS - 1)
        assert await leases.expire() == []
        await wait(1)
        assert await leases.expire() == [Freed(Ending.EXPIRED, PAYER, ticket(1))]
        assert await leases.expire() == []
        assert await settle(leases, 1, 10) is Settled.ENDED
        await leases.reserve(lease(2, tokens=600, quota=quota))

    async def test_a_process_that_is_gone_frees_its_places_and_stays_charged(
        self, leases: LeaseStore
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=500, quota=quota))
        await issue(leases, 1)
        await accept(leases, 1)
        assert list(await leases.lose(process(2))) == []
        assert list(await leases.lose(process())) == [Freed(Ending.LOST, PAYER, ticket(1))]
        assert list(await leases.lose(process())) == []
        assert await leases.release(Identity(0, 1)) == (False, None)
        assert (await leases.reserve(lease(2, tokens=1, quota=quota))).remaining_tokens == 99

    async def test_a_process_that_was_not_gone_after_all_settles_what_it_used(
        self, leases: LeaseStore
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        await accept(leases, 1)
        await leases.lose(process())
        assert await settle(leases, 1, 120) is Settled.LOST
        assert await settle(leases, 1, 120) is Settled.ENDED
        assert await remaining_tokens(leases) == 600 - 120

    async def test_a_process_that_comes_back_takes_its_place_again(self, leases: LeaseStore) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=500, quota=quota))
        await issue(leases, 1)
        await accept(leases, 1)
        await leases.lose(process())
        assert await accept(leases, 1) is Accepted.LOST
        refusal = await refusal_of(leases, lease(2, tokens=1, quota=quota))
        assert refusal.reason is Reason.CONCURRENCY_EXHAUSTED
        assert await settle(leases, 1, 120) is Settled.OPEN
        assert await remaining_tokens(leases) == 600 - 120

    async def test_a_lost_request_is_forgotten_when_it_would_have_expired(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        await accept(leases, 1)
        await leases.lose(process())
        await wait(ACCEPTED_SECONDS)
        assert await leases.expire() == []
        assert await settle(leases, 1, 120) is Settled.ENDED

    async def test_a_ticket_whose_process_is_gone_can_no_longer_be_accepted(self, leases: LeaseStore) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=500, quota=quota))
        await issue(leases, 1, attempts=2)
        await leases.release(Identity(0, 1))
        assert list(await leases.lose(process(1))) == []
        assert list(await leases.lose(process(2))) == [Freed(Ending.LOST, PAYER, Identity(0, 1))]
        # It may have accepted the ticket and told nobody: the tokens stay charged.
        assert (await leases.reserve(lease(2, tokens=1, quota=quota))).remaining_tokens == 99

    async def test_a_settlement_of_an_older_replica_names_no_ticket(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1, attempts=2)
        settlement = Settlement(Identity(0, 1), Identity(0, 0), Payer(0, 0), Amount(120), process(2))
        assert await leases.settle(settlement) == (
            Settled.OPEN,
            Freed(Ending.SETTLED, PAYER, Identity(0, 1)),
        )
        assert await leases.settle(settlement) == (Settled.NOTHING, None)
        assert await remaining_tokens(leases) == 600 - 120

    async def test_what_one_router_reserved_another_one_is_told_of_by_the_replica(
        self, leases: LeaseStore, elsewhere: LeaseStore
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1)
        assert await accept(elsewhere, 1) is Accepted.RESERVED
        assert await accept(leases, 1) is Accepted.KNOWN
        assert await settle(elsewhere, 1, 120) is Settled.OPEN
        assert await settle(leases, 1, 120) is Settled.ENDED
        assert await remaining_tokens(leases) == await remaining_tokens(elsewhere) == 600 - 120

    async def test_what_one_router_frees_no_other_frees_again(
        self, leases: LeaseStore, elsewhere: LeaseStore, wait: Wait
    ) -> None:
        for number in (1, 2):
            await reserve(leases, number)
            await issue(leases, number)
        await accept(leases, 1)
        assert len(await elsewhere.lose(process())) == 2
        assert list(await leases.lose(process())) == []
        await reserve(leases, 3)
        await wait(RESERVED_SECONDS)
        assert await elsewhere.expire() == [Freed(Ending.EXPIRED, PAYER, Identity(0, 3))]
        assert await leases.expire() == []
