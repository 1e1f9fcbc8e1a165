"""What of days, months and budgets outlives a lease store, and clocks that are set.

`records` are what outlives the store, `anew` is another store with them; `set_clock` sets the clock that says
which day it is.
"""

from collections.abc import Callable
from typing import TypeAlias

from services.kernel.errors import Reason
from services.router.domain.amount import Amount
from services.router.domain.ports import LeaseStore
from services.router.domain.spending import Subject, SubjectKind, Window, day_of, month_of
from services.router.domain.tenancy import Quota
from tests.contracts.leases import TENANT, Wait, lease, refusal_of, settle
from tests.fakes.spending import MemoryRecords

# By the clock of every store at the beginning of a test.
DAY = day_of(1_790_000_000_000)
MONTH = month_of(DAY)
DAY_SECONDS = 86_400.0
CENT = 10_000_000
DAILY = Quota(tokens_per_day=600)
KEY, OF_TENANT = Subject(SubjectKind.KEY, 1), Subject(SubjectKind.TENANT, TENANT)

# Another store, with another memory, that has the same records.
Anew: TypeAlias = Callable[[], LeaseStore]


class LeaseRecordsContract:
    async def test_a_store_without_a_memory_lends_no_budget_twice(
        self, leases: LeaseStore, records: MemoryRecords, anew: Anew
    ) -> None:
        budget = Quota(money_per_month_cents=10)
        await leases.reserve(lease(1, nanos=8 * CENT, quota=budget))
        await settle(leases, 1, 100, nanos=8 * CENT)
        await self.written(leases)
        assert records.noted[Window(KEY, MONTH)] == Amount(100, 8 * CENT)
        other = anew()
        refusal = await refusal_of(other, lease(2, nanos=3 * CENT, quota=budget))
        assert refusal.reason is Reason.BUDGET_EXHAUSTED
        await other.reserve(lease(2, nanos=2 * CENT, quota=budget))

    async def test_what_was_settled_before_anybody_asked_is_added_to_the_record(
        self, leases: LeaseStore, records: MemoryRecords
    ) -> None:
        records.noted = {Window(OF_TENANT, MONTH): Amount(30), Window(OF_TENANT, DAY): Amount(20)}
        await settle(leases, 1, 70)
        await leases.expire()
        await self.written(leases)
        assert records.noted[Window(OF_TENANT, MONTH)] == Amount(100)
        assert records.noted[Window(OF_TENANT, DAY)] == Amount(90)
        assert records.noted[Window(KEY, MONTH)] == Amount(70)

    async def test_records_are_read_once(self, leases: LeaseStore, records: MemoryRecords) -> None:
        for number in range(5):
            await leases.reserve(lease(number, quota=DAILY, of_tenant=DAILY))
        assert records.reads == 1

    async def test_without_records_only_what_needs_none_is_lent(
        self, leases: LeaseStore, records: MemoryRecords
    ) -> None:
        records.is_away = True
        refusal = await refusal_of(leases, lease(1, quota=DAILY))
        assert (refusal.reason, refusal.retry_after_seconds) == (Reason.QUOTA_UNAVAILABLE, 1.0)
        await leases.reserve(lease(2))
        await settle(leases, 2, 10)
        records.is_away = False
        await leases.reserve(lease(3, quota=DAILY))

    async def test_a_day_that_comes_again_is_spent_as_it_was(
        self, leases: LeaseStore, set_clock: Wait
    ) -> None:
        await leases.reserve(lease(1, tokens=600, quota=DAILY))
        await settle(leases, 1, 600)
        await set_clock(DAY_SECONDS)
        await leases.reserve(lease(2, tokens=500, quota=DAILY))
        await settle(leases, 2, 500)
        await set_clock(-DAY_SECONDS)
        await refusal_of(leases, lease(3, tokens=1, quota=DAILY))
        assert (await leases.spending(TENANT, 1)).month_tokens == 1_100

    async def test_a_clock_that_was_years_ahead_stops_nobody(
        self, leases: LeaseStore, set_clock: Wait
    ) -> None:
        monthly = Quota(tokens_per_month=600)
        await leases.reserve(lease(1, tokens=300, quota=monthly))
        await settle(leases, 1, 300)
        await set_clock(4_000 * DAY_SECONDS)
        await leases.reserve(lease(2, tokens=600, quota=monthly))
        await settle(leases, 2, 600)
        await set_clock(-4_000 * DAY_SECONDS)
        await leases.reserve(lease(3, tokens=300, quota=monthly))
        await refusal_of(leases, lease(4, tokens=1, quota=monthly))

    async def written(self, leases: LeaseStore) -> None:
        """Has what the store spent written."""
        raise NotImplementedError
