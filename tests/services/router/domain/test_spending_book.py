"""What was spent is kept until it is written, and read with what is written already."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from services.kernel.errors import ComptoirError, Reason
from services.router.domain.amount import Amount
from services.router.domain.spending import Spent, Subject, SubjectKind, Window
from services.router.domain.spending_book import SpendingBook
from tests.fakes.spending import MemoryRecords

KEY, OTHER_KEY = Subject(SubjectKind.KEY, 7), Subject(SubjectKind.KEY, 8)
DAY, NEXT_DAY, MONTH = 20260929, 20260930, 202609


def known(day: int, of_day: int, of_month: int) -> Spent:
    return Spent(day, Amount(of_day), Amount(of_month), is_day_known=True, is_month_known=True)


@pytest.fixture
def records() -> MemoryRecords:
    return MemoryRecords()


@pytest.fixture
def book(records: MemoryRecords) -> SpendingBook:
    return SpendingBook(records)


async def test_totals_of_the_day_and_the_month_are_written_once(
    records: MemoryRecords, book: SpendingBook
) -> None:
    book.note(KEY, known(DAY, 5, 9))
    assert book.waiting == 1
    await book.write()
    assert records.noted == {Window(KEY, DAY): Amount(5), Window(KEY, MONTH): Amount(9)}
    records.noted.clear()
    await book.write()
    assert (records.noted, book.waiting) == ({}, 0)


async def test_what_is_not_written_yet_is_read(records: MemoryRecords, book: SpendingBook) -> None:
    records.noted = {Window(KEY, NEXT_DAY): Amount(3), Window(KEY, MONTH): Amount(4)}
    book.note(KEY, known(DAY, 5, 9))
    assert await book.read([KEY], NEXT_DAY) == {KEY: known(NEXT_DAY, 3, 9)}


async def test_of_a_part_the_total_is_written(records: MemoryRecords, book: SpendingBook) -> None:
    records.noted = {Window(KEY, DAY): Amount(3), Window(KEY, MONTH): Amount(4)}
    spent = Spent(DAY, Amount(1), Amount(1))
    book.note(KEY, spent)
    await book.write()
    assert records.noted == {Window(KEY, DAY): Amount(4), Window(KEY, MONTH): Amount(5)}
    assert spent.is_known


async def test_what_is_read_holds_what_parts_were_noted_of_before(
    records: MemoryRecords, book: SpendingBook
) -> None:
    records.noted = {Window(KEY, MONTH): Amount(4)}
    book.note(KEY, Spent(DAY, Amount(1), Amount(1)))
    # The clock went to another month and came back.
    book.note(KEY, Spent(DAY, Amount(2), Amount(2)))
    book.note(KEY, Spent(NEXT_DAY, Amount(8), Amount(8)))
    assert await book.read([KEY], NEXT_DAY) == {KEY: known(NEXT_DAY, 8, 15)}


async def test_what_cannot_be_written_waits_on(records: MemoryRecords, book: SpendingBook) -> None:
    records.is_away = True
    book.note(KEY, known(DAY, 5, 9))
    with pytest.raises(ComptoirError) as refusal:
        await book.write()
    assert refusal.value.reason is Reason.KEYS_UNAVAILABLE
    book.note(KEY, known(DAY, 6, 10))
    records.is_away = False
    await book.write()
    assert records.noted[Window(KEY, MONTH)] == Amount(10)


async def test_without_records_all_is_kept() -> None:
    book = SpendingBook()
    book.note(KEY, known(DAY, 5, 9))
    await book.write()
    assert await book.read([KEY], DAY) == {KEY: known(DAY, 5, 9)}


@dataclass
class SlowRecords(MemoryRecords):
    """Writes once it is told to."""

    may_write: asyncio.Event = field(default_factory=asyncio.Event)
    sizes: list[int] = field(default_factory=list)

    async def write(self, spent: Mapping[Window, Amount]) -> None:
        self.sizes.append(len(spent))
        await self.may_write.wait()
        self._check()
        await super().write(spent)


async def test_who_writes_last_waits_for_a_write_under_way_and_what_it_reads_counts() -> None:
    records = SlowRecords()
    book = SpendingBook(records)
    book.note(KEY, known(DAY, 5, 9))
    writes = [asyncio.create_task(book.write())]
    await asyncio.sleep(0)
    book.note(OTHER_KEY, known(DAY, 1, 1))
    writes.append(asyncio.create_task(book.write()))
    await asyncio.sleep(0)
    assert await book.read([KEY, OTHER_KEY], DAY) == {KEY: known(DAY, 5, 9), OTHER_KEY: known(DAY, 1, 1)}
    assert not any(write.done() for write in writes)
    records.may_write.set()
    await asyncio.gather(*writes)
    assert {window.subject for window in records.noted} == {KEY, OTHER_KEY}


async def test_many_subjects_are_written_in_parts() -> None:
    records = SlowRecords()
    records.may_write.set()
    book = SpendingBook(records)
    for number in range(1, 1_001):
        book.note(Subject(SubjectKind.KEY, number), Spent(DAY, Amount(1), Amount(1)))
    await book.write()
    assert (len(records.noted), book.waiting) == (2_000, 0)
    assert max(records.sizes) <= 500


async def test_what_could_not_be_written_is_in_what_was_noted_of_its_day_meanwhile() -> None:
    records = SlowRecords(is_away=True)
    book = SpendingBook(records)
    book.note(KEY, known(DAY, 5, 9))
    write = asyncio.create_task(book.write())
    await asyncio.sleep(0)
    # The clock went to another month and came back.
    book.note(KEY, Spent(DAY, Amount(1), Amount(1)))
    records.may_write.set()
    with pytest.raises(ComptoirError):
        await write
    records.is_away = False
    assert await book.read([KEY], DAY) == {KEY: known(DAY, 6, 10)}
