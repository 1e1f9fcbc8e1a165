"""The lease store in memory keeps the contract of all lease stores, and remembers no more than its bound."""

import pytest

from services.kernel.clock import ManualClock
from services.kernel.identity import Identity
from services.router.adapters.memory_leases import MemoryLeases
from services.router.domain.amount import Amount
from services.router.domain.lease import Process, Settled, Settlement
from services.router.domain.ports import LeaseStore
from services.router.domain.spending_book import SpendingBook
from tests.contracts.lease_records import Anew, LeaseRecordsContract
from tests.contracts.lease_store import LeaseStoreContract
from tests.contracts.leases import PAYER, Wait
from tests.fakes.spending import MemoryRecords


class TestMemoryLeases(LeaseStoreContract, LeaseRecordsContract):
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def records(self) -> MemoryRecords:
        return MemoryRecords()

    @pytest.fixture
    def leases(self, clock: ManualClock, records: MemoryRecords) -> MemoryLeases:
        self.book = SpendingBook(records)
        return MemoryLeases(clock, self.book)

    @pytest.fixture
    def anew(self, clock: ManualClock, records: MemoryRecords) -> Anew:
        return lambda: MemoryLeases(clock, SpendingBook(records))

    async def written(self, leases: LeaseStore) -> None:
        del leases
        await self.book.write()

    @pytest.fixture
    def set_clock(self, clock: ManualClock) -> Wait:
        async def set_clock(seconds: float) -> None:
            clock.set_wall(clock.wall_microseconds() + round(seconds * 1_000_000))

        return set_clock

    @pytest.fixture
    def elsewhere(self, leases: MemoryLeases) -> MemoryLeases:
        return leases

    @pytest.fixture
    def wait(self, clock: ManualClock) -> Wait:
        async def wait(seconds: float) -> None:
            clock.advance(seconds)

        return wait


async def test_remembered_tickets_are_bounded() -> None:
    clock = ManualClock()
    leases = MemoryLeases(clock, most_remembered=2)

    async def settle_each() -> list[Settled]:
        settlements = [
            Settlement(Identity(0, number), Identity(1, number), PAYER, Amount(1), Process(1, 1))
            for number in range(4)
        ]
        return [(await leases.settle(settlement))[0] for settlement in settlements]

    assert await settle_each() == [Settled.NOTHING] * 4
    clock.advance(5.0)
    await leases.expire()
    assert await settle_each() == [Settled.NOTHING, Settled.NOTHING, Settled.ENDED, Settled.ENDED]
