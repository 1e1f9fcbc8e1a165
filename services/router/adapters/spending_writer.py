"""Writes every second what keys and tenants spent."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from services.kernel.errors import ComptoirError
from services.router.domain.spending_book import SpendingBook
from services.runtime.logs import get_logger

# What is spent in it is lost where this process, and a lease store in its memory with it, is killed.
INTERVAL_SECONDS: Final = 1.0
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
