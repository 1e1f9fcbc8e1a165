"""Writes every second what keys and tenants spent, and drops the days that are long over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.router.domain.spending import day_of, kept_since
from services.router.domain.spending_book import SpendingBook, SpendingRecords
from services.runtime.logs import get_logger

# What is spent in it is lost where this process, and a lease store in its memory with it, is killed.
INTERVAL_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 6 * 3600.0
_log = get_logger(__name__)


async def write_spending_often(
    book: SpendingBook, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Runs until cancelled."""
    while True:
        await sleep(INTERVAL_SECONDS)
        await write_spending(book)


async def write_spending(book: SpendingBook) -> None:
    """Writes what waits; where the database cannot be reached, it waits on."""
    try:
        await book.write()
    except ComptoirError as error:
        _log.warning("spending_not_written", reason=error.reason.name, count=book.waiting)


async def forget_days_often(
    records: SpendingRecords, clock: Clock, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Runs until cancelled."""
    while True:
        try:
            await records.forget_days(kept_since(day_of(clock.wall_microseconds() // 1000)))
        except ComptoirError as error:
            _log.warning("spending_not_forgotten", reason=error.reason.name)
        await sleep(_FORGET_SECONDS)
