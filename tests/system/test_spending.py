"""A router that is killed with its leases in memory has on record what it spent, but for the last second."""

import asyncio
import sys
from pathlib import Path

import pytest

from services.kernel.clock import SystemClock
from services.router.adapters.key_database import on_file
from services.router.adapters.memory_leases import MemoryLeases
from services.router.adapters.sql_spending import SqlSpending
from services.router.domain.spending_book import SpendingBook
from tests.system.spender import PAYER, spend

pytestmark = pytest.mark.system
WAIT_SECONDS = 60.0


async def killed_after(file: Path, writes: int) -> tuple[int, int]:
    """What a process that is killed had charged, and what of it had been written."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.spender", str(file)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = {"charged": 0, "written": 0}
    async with asyncio.timeout(WAIT_SECONDS):
        while writes or not said["written"]:
            kind, total = (await process.stdout.readline()).split()
            said[kind.decode()] = int(total)
            writes -= kind == b"written" and writes > 0
        process.kill()
        for line in (await process.stdout.read()).splitlines():
            # The last one may be cut off.
            if len(parts := line.split()) == 2:
                said[parts[0].decode()] = int(parts[1])
        await process.wait()
    return said["charged"], said["written"]


async def test_what_was_written_before_a_kill_is_spent_by_who_comes_next(tmp_path: Path) -> None:
    file = tmp_path / "router.sqlite"
    spent = 0
    for _ in range(3):
        charged, written = await killed_after(file, 4)
        engine = on_file(file)
        store = MemoryLeases(SystemClock(), SpendingBook(SqlSpending(engine)))
        told = (await store.spending(PAYER.tenant)).month_tokens
        # One that was killed goes on where the record is: nothing comes back, and nothing is counted twice.
        assert spent + written <= told <= spent + charged + 100
        assert (await store.spending(PAYER.tenant, PAYER.key)).month_tokens == told
        await spend(store)
        assert (await store.spending(PAYER.tenant)).month_tokens == told + 1
        spent = told
        engine.dispose()
