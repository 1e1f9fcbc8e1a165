"""A process that takes and gives leases of a shared store as fast as it can, and writes down what it held.

`python -m tests.system.lease_hammer SOCKET FILE SECONDS`; a line is a key's number, when a lease was asked
for, from when and until when it was held, by the machine's monotonic clock, and what became of it.
"""

import asyncio
import contextlib
import itertools
import random
import sys
import time
from pathlib import Path
from typing import Final, TextIO

from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.router.adapters.lease_stores import open_lease_store
from services.router.domain.amount import Amount
from services.router.domain.lease import Acceptance, Process, Reservation, Settlement, lease_of
from services.router.domain.ports import LeaseStore
from services.router.domain.quota import Payer, Quotas
from services.router.domain.tenancy import UNLIMITED, Quota
from services.router.settings import LeaseStoreSettings

PLACES: Final = Quota(concurrency=5)
RATES: Final = Quota(requests_per_minute=600, tokens_per_minute=30_000)
TOKENS: Final = 100
AMOUNT: Final = Amount(TOKENS)
LASTS_SECONDS: Final = 4.0
_TENANT: Final = 1
_QUOTAS: Final = {1: Quotas(PLACES, UNLIMITED), 2: Quotas(RATES, UNLIMITED)}
_CALLERS: Final = 6


async def _hold(store: LeaseStore, key: int, lines: TextIO) -> None:
    lease_id, payer, asked = lease_of(_TENANT), Payer(_TENANT, key), time.monotonic()
    reserving = asyncio.ensure_future(
        store.reserve(Reservation(lease_id, payer, _QUOTAS[key], AMOUNT, LASTS_SECONDS))
    )
    if random.random() < 0.05:
        await asyncio.sleep(0)
        reserving.cancel()
    await reserving
    taken, ending = time.monotonic(), random.random()
    lines.write(f"{key} {asked} {taken} ")
    await asyncio.sleep(random.random() * 0.01)
    # From here on it may be free.
    lines.write(f"{time.monotonic()} ")
    if ending < 0.005:
        lines.write("left\n")
        return
    process, ticket_id = Process(1, 5), Identity.random()
    try:
        if ending < 0.9:
            await store.accept(Acceptance(lease_id, ticket_id, payer, AMOUNT, process, LASTS_SECONDS))
        await store.settle(Settlement(lease_id, ticket_id, payer, AMOUNT, process))
    except ComptoirError:
        lines.write("unsettled\n")
        raise
    lines.write("settled\n")


async def _call(store: LeaseStore, file: Path, end_seconds: float, number: int) -> None:
    with file.with_suffix(f".{number}").open("w", buffering=1) as lines:
        for turn in itertools.count(number):
            if time.monotonic() > end_seconds:
                return
            try:
                await _hold(store, turn % 2 + 1, lines)
            except ComptoirError as error:
                wait_seconds = 0.05 if error.reason is Reason.QUOTA_UNAVAILABLE else 0.002
                await asyncio.sleep(wait_seconds)
            except asyncio.CancelledError:
                continue


async def _expire(store: LeaseStore, end_seconds: float) -> None:
    while time.monotonic() < end_seconds:
        with contextlib.suppress(ComptoirError):
            await store.expire()
        await asyncio.sleep(0.2)


async def _hammer(socket: str, file: Path, seconds: float) -> None:
    settings = LeaseStoreSettings(address=f"unix:{socket}", timeout_seconds=10)
    store = open_lease_store(settings, SystemClock(), region=1)
    end_seconds = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(_CALLERS):
            group.create_task(_call(store, file, end_seconds, number))
        group.create_task(_expire(store, end_seconds))
    await store.close()


if __name__ == "__main__":
    asyncio.run(_hammer(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
