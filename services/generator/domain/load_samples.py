"""Samples of a replica's load for the store, one per interval."""

import asyncio
from typing import Protocol

from services.generator.domain.load import LoadReport, LoadSample, LoadTotals, is_whole, since
from services.generator.domain.ports import EventRefusedError, Sleep, UsageSink
from services.kernel.clock import Clock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity


class LoadSource(Protocol):
    """Knows the load; Generations is one."""

    def load(self) -> LoadReport:
        """Returns the load now."""
        ...

    def totals(self) -> LoadTotals:
        """Returns what the engine has done so far."""
        ...


async def sample_load(
    source: LoadSource,
    sink: UsageSink,
    clock: Clock,
    *,
    interval_seconds: float,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Records a sample per interval, for ever; what a lost sample counted is in the next one.

    While the engine does not say all of its load, there is none: a number that nobody said is not stored.
    """
    recorded = source.totals()
    while True:
        await sleep(interval_seconds)
        totals, report = source.totals(), source.load()
        if not is_whole(report):
            continue
        now = clock.wall_microseconds()
        sample = LoadSample(
            event_id=Identity.dated(now),
            started_at_microseconds=now,
            report=report,
            since_last=since(recorded, totals),
        )
        try:
            await sink.record_load(sample)
        except (ComptoirError, EventRefusedError):
            continue
        recorded = totals
