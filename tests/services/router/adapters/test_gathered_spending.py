"""What many ask of the records at once is read together, and each is told its own."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.adapters.gathered_spending import GatheredSpending
from services.router.domain.amount import Amount
from services.router.domain.spending import Subject, SubjectKind, Window
from services.router.domain.spending_book import SpendingRecords
from tests.contracts.spending_records import SpendingRecordsContract
from tests.fakes.spending import MemoryRecords

WAIT_SECONDS = 10.0
MONTH = 202611
WINDOWS = [Window(Subject(SubjectKind.KEY, number), MONTH) for number in range(1, 1_001)]


class SlowRecords(MemoryRecords):
    """Records whose reads wait until the gate is open, and fail as they are told."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.asked: list[set[Window]] = []
        self.failures: list[Exception] = []

    async def read(self, windows: Collection[Window]) -> Mapping[Window, Amount]:
        self.asked.append(set(windows))
        self.begun.set()
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return await super().read(windows)


class TestGatheredSpending(SpendingRecordsContract):
    @pytest.fixture
    def records(self) -> SpendingRecords:
        return GatheredSpending(MemoryRecords())


@pytest.fixture
def slow() -> SlowRecords:
    return SlowRecords()


async def test_a_thousand_that_ask_at_once_cost_one_read_and_those_that_ask_meanwhile_one_more(
    slow: SlowRecords,
) -> None:
    slow.noted = {window: Amount(window.subject.number) for window in WINDOWS}
    gathered = GatheredSpending(slow)
    first = [asyncio.create_task(gathered.read([window])) for window in WINDOWS]
    await asyncio.wait_for(slow.begun.wait(), WAIT_SECONDS)
    later = [asyncio.create_task(gathered.read([window])) for window in WINDOWS[:10]]
    await asyncio.sleep(0)
    slow.gate.set()
    found = await asyncio.wait_for(asyncio.gather(*first, *later), WAIT_SECONDS)
    assert found == [{window: Amount(window.subject.number)} for window in [*WINDOWS, *WINDOWS[:10]]]
    assert slow.asked == [set(WINDOWS), set(WINDOWS[:10])]


async def test_what_was_noted_before_somebody_asked_is_told(slow: SlowRecords) -> None:
    gathered = GatheredSpending(slow)
    early = asyncio.create_task(gathered.read(WINDOWS[:1]))
    await asyncio.wait_for(slow.begun.wait(), WAIT_SECONDS)
    slow.noted = {WINDOWS[0]: Amount(5)}
    late = asyncio.create_task(gathered.read(WINDOWS[:1]))
    slow.gate.set()
    await asyncio.wait_for(early, WAIT_SECONDS)
    assert await asyncio.wait_for(late, WAIT_SECONDS) == {WINDOWS[0]: Amount(5)}
    assert len(slow.asked) == 2


async def test_a_read_that_fails_has_failed_for_all_who_asked_for_it_and_for_nobody_else(
    slow: SlowRecords,
) -> None:
    slow.failures.append(ComptoirError(Reason.KEYS_UNAVAILABLE))
    gathered = GatheredSpending(slow)
    asking = [asyncio.create_task(gathered.read([window])) for window in WINDOWS[:3]]
    await asyncio.wait_for(slow.begun.wait(), WAIT_SECONDS)
    later = asyncio.create_task(gathered.read(WINDOWS[:1]))
    await asyncio.sleep(0)
    slow.gate.set()
    found = await asyncio.wait_for(asyncio.gather(*asking, return_exceptions=True), WAIT_SECONDS)
    assert [type(one) for one in found] == [ComptoirError] * 3
    assert await asyncio.wait_for(later, WAIT_SECONDS) == {}


async def test_who_goes_away_takes_nothing_from_the_others(slow: SlowRecords) -> None:
    slow.noted = {WINDOWS[1]: Amount(7)}
    gathered = GatheredSpending(slow)
    leaving, staying = (asyncio.create_task(gathered.read([window])) for window in WINDOWS[:2])
    await asyncio.wait_for(slow.begun.wait(), WAIT_SECONDS)
    leaving.cancel()
    slow.gate.set()
    assert await asyncio.wait_for(staying, WAIT_SECONDS) == {WINDOWS[1]: Amount(7)}
    assert await asyncio.wait_for(gathered.read(WINDOWS[:1]), WAIT_SECONDS) == {}
