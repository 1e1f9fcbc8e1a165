"""What was spent reaches the records every second, and waits while they are away."""

import asyncio

import pytest

from services.kernel.clock import ManualClock
from services.router.adapters.spending_writer import forget_days_often, write_spending, write_spending_often
from services.router.domain.amount import Amount
from services.router.domain.spending import Spent, Window
from services.router.domain.spending_book import SpendingBook
from tests.contracts.spending_records import DAY, KEY
from tests.fakes.spending import MemoryRecords

SPENT = Spent(DAY.period, Amount(5), Amount(5), is_day_known=True, is_month_known=True)


async def test_what_is_spent_is_on_record_a_second_later() -> None:
    records, waits = MemoryRecords(), list[float]()
    book = SpendingBook(records)
    book.note(KEY, SPENT)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await write_spending_often(book, sleep=sleep)
    assert waits == [1, 1, 1]
    assert records.noted[DAY] == Amount(5)


async def test_it_waits_while_the_records_are_away() -> None:
    records = MemoryRecords(is_away=True)
    book = SpendingBook(records)
    book.note(KEY, SPENT)
    await write_spending(book)
    assert book.waiting == 1
    records.is_away = False
    await write_spending(book)
    assert (book.waiting, records.noted[DAY]) == (0, Amount(5))


async def test_days_before_last_month_are_dropped_now_and_again_when_the_records_are_there() -> None:
    clock, waits = ManualClock(), list[float]()
    old, kept = Window(KEY, 20260731), Window(KEY, 20260801)
    records = MemoryRecords({old: Amount(1), kept: Amount(1)}, is_away=True)

    async def sleep(seconds: float) -> None:
        records.is_away = False
        waits.append(seconds)
        if len(waits) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await forget_days_often(records, clock, sleep=sleep)
    assert records.noted.keys() == {kept}
