"""What every lease store promises; a test module gives three fixtures and inherits the class.

`leases` is an empty store as one router reaches it, `elsewhere` the same store as another router does: no
answer may depend on who asks, or on a caller's clock. `wait` lets the store's own time pass.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.kernel.quota import QuotaState
from services.router.domain.lease import (
    Acceptance,
    Accepted,
    Ending,
    Freed,
    Issue,
    Process,
    Reservation,
    Settled,
    Settlement,
)
from services.router.domain.ports import LeaseStore
from services.router.domain.tenancy import Quota

RESERVED_SECONDS, ACCEPTED_SECONDS = 12.0, 600.0
QUOTA = Quota(requests_per_minute=3, tokens_per_minute=600, concurrency=2)

Wait: TypeAlias = Callable[[float], Awaitable[None]]


def lease(number: int, *, tokens: int = 100, quota: Quota = QUOTA, key: int = 1) -> Reservation:
    return Reservation(Identity(0, number), key, quota, tokens, RESERVED_SECONDS)


def ticket(number: int, attempt: int = 1) -> Identity:
    """The ticket of a lease for the replica with the number of the attempt."""
    return Identity(attempt, number)


async def issue(leases: LeaseStore, number: int, attempts: int = 1) -> None:
    tickets = {ticket(number, attempt): process(attempt) for attempt in range(1, attempts + 1)}
    await leases.issue(Issue(Identity(0, number), tickets, RESERVED_SECONDS))


def process(attempt: int = 1) -> Process:
    return Process(attempt, 70 + attempt)


async def accept(leases: LeaseStore, number: int, attempt: int = 1) -> Accepted:
    lease_id, ticket_id = Identity(0, number), ticket(number, attempt)
    return await leases.accept(Acceptance(lease_id, ticket_id, 1, 100, process(attempt), ACCEPTED_SECONDS))


async def settle(
    leases: LeaseStore,
    number: int,
    tokens: int,
    attempt: int = 1,
    *,
    key: int = 1,
    is_unserved: bool = False,
) -> Settled:
    lease_id, ticket_id = Identity(0, number), ticket(number, attempt)
    settlement = Settlement(lease_id, ticket_id, key, tokens, process(attempt), is_unserved)
    found, freed = await leases.settle(settlement)
    assert (freed is not None) == (found is Settled.OPEN)
    return found


async def remaining_tokens(leases: LeaseStore) -> int:
    """What is left of the key's tokens, asked in a way that leaves no trace."""
    state = await leases.reserve(
        lease(10**6, tokens=0, quota=Quota(requests_per_minute=0, tokens_per_minute=600, concurrency=0))
    )
    await leases.cancel(Identity(0, 10**6))
    return state.remaining_tokens


async def reserve(leases: LeaseStore, number: int, **fields: int) -> QuotaState:
    return await leases.reserve(lease(number, **fields))  # type: ignore[arg-type]


async def refusal_of(leases: LeaseStore, reservation: Reservation) -> ComptoirError:
    with pytest.raises(ComptoirError) as refusal:
        await leases.reserve(reservation)
    return refusal.value


class LeaseStoreContract:
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
        await leases.issue(Issue(Identity(9, 9), {}, RESERVED_SECONDS))
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
        assert await leases.expire() == [Freed(Ending.RELEASED, 1, Identity(0, 1))]
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
        await issue(leases, 1)
        await accept(leases, 1)
        assert await settle(leases, 1, 0, is_unserved=True) is Settled.OPEN
        assert await leases.release(Identity(0, 1)) == (False, None)
        assert await remaining_tokens(leases) == 600

    @pytest.mark.parametrize("is_released_first", [True, False])
    async def test_a_lease_that_every_replica_refused_is_over_whether_or_not_it_was_released(
        self, leases: LeaseStore, *, is_released_first: bool
    ) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1, attempts=2)
        assert await settle(leases, 1, 0, is_unserved=True) is Settled.HANDED_BACK
        if is_released_first:
            assert await leases.release(Identity(0, 1)) == (True, None)
        assert await settle(leases, 1, 0, 2, is_unserved=True) is Settled.OPEN
        assert await leases.release(Identity(0, 1)) == (False, None)
        assert await remaining_tokens(leases) == 600

    async def test_a_handed_back_lease_can_be_released(self, leases: LeaseStore, wait: Wait) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1, attempts=2)
        await accept(leases, 1)
        await settle(leases, 1, 0, is_unserved=True)
        assert await leases.release(Identity(0, 1)) == (True, None)
        await wait(RESERVED_SECONDS)
        assert await leases.expire() == [Freed(Ending.RELEASED, 1, Identity(0, 1))]
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
        assert await leases.cancel(Identity(0, 1)) == Freed(Ending.CANCELLED, 1, Identity(0, 1))
        assert await leases.cancel(Identity(0, 1)) is None
        state = await reserve(leases, 2, tokens=1)
        assert (state.remaining_requests, state.remaining_tokens) == (2, 599)

    async def test_a_lease_that_nobody_accepts_ends_with_its_tickets_and_costs_nothing(
        self, leases: LeaseStore, wait: Wait
    ) -> None:
        quota = Quota(tokens_per_minute=600, concurrency=1)
        await leases.reserve(lease(1, tokens=600, quota=quota))
        await issue(leases, 1)
        await wait(RESERVED_SECONDS - 0.1)
        assert await leases.expire() == []
        await wait(0.1)
        assert await leases.expire() == [Freed(Ending.EXPIRED, 1, Identity(0, 1))]
        state = await leases.reserve(lease(2, tokens=600, quota=quota))
        assert state.remaining_tokens == 0

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
        assert await leases.expire() == [Freed(Ending.EXPIRED, 1, ticket(1))]
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
        assert list(await leases.lose(process())) == [Freed(Ending.LOST, 1, ticket(1))]
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
        assert list(await leases.lose(process(2))) == [Freed(Ending.LOST, 1, Identity(0, 1))]
        # It may have accepted the ticket and told nobody: the tokens stay charged.
        assert (await leases.reserve(lease(2, tokens=1, quota=quota))).remaining_tokens == 99

    async def test_a_settlement_of_an_older_replica_names_no_ticket(self, leases: LeaseStore) -> None:
        await reserve(leases, 1, tokens=500)
        await issue(leases, 1, attempts=2)
        settlement = Settlement(Identity(0, 1), Identity(0, 0), 0, 120, process(2))
        assert await leases.settle(settlement) == (
            Settled.OPEN,
            Freed(Ending.SETTLED, 1, Identity(0, 1)),
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
        assert await elsewhere.expire() == [Freed(Ending.EXPIRED, 1, Identity(0, 3))]
        assert await leases.expire() == []
