"""A process that lends and settles as fast as it can, on leases in its memory, and says what it charged.

`python -m tests.system.spender FILE`; a line is `charged` with all that was settled so far, or `written` with
what was settled before the last write began.
"""

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Final

from services.kernel.clock import SystemClock
from services.kernel.identity import Identity
from services.router.adapters.key_database import on_file
from services.router.adapters.memory_leases import MemoryLeases
from services.router.adapters.spending_writer import INTERVAL_SECONDS, write_spending_often
from services.router.adapters.sql_spending import SqlSpending
from services.router.domain.amount import Amount
from services.router.domain.lease import Process, Reservation, Settlement, lease_of
from services.router.domain.quota import Payer, Quotas
from services.router.domain.spending_book import SpendingBook
from services.router.domain.tenancy import UNLIMITED, Quota

PAYER: Final = Payer(1, 1)
QUOTAS: Final = Quotas(UNLIMITED, Quota(tokens_per_month=2**40))


def say(what: str, total: int) -> None:
    """Writes a line at once."""
    sys.stdout.write(f"{what} {total}\n")
    sys.stdout.flush()


async def spend(store: MemoryLeases) -> None:
    """Lends and settles one token."""
    lease_id, process = lease_of(PAYER.tenant), Process(1, 5)
    await store.reserve(Reservation(lease_id, PAYER, QUOTAS, Amount(1), 12.0))
    await store.settle(Settlement(lease_id, Identity.random(), PAYER, Amount(1), process))


async def main(file: Path) -> None:
    """Runs until it is killed."""
    book = SpendingBook(SqlSpending(on_file(file)))
    store, charged, before = MemoryLeases(SystemClock(), book), 0, 0

    async def sleep(seconds: float) -> None:
        nonlocal before
        say("written", before)
        await asyncio.sleep(seconds / INTERVAL_SECONDS / 10)
        before = charged

    writing = asyncio.create_task(write_spending_often(book, sleep=sleep))
    for charged in itertools.count(1):
        await spend(store)
        if charged % 100 == 0:
            say("charged", charged)
            await asyncio.sleep(0.001)
        if writing.done():
            writing.result()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
