import asyncio

import pytest

from services.generator.domain.load import LoadReport, LoadSample, LoadTotals
from services.generator.domain.load_samples import sample_load
from services.kernel.clock import ManualClock
from services.kernel.errors import ComptoirError, Reason
from tests.services.generator.running import RememberingSink


class Source:
    def __init__(self) -> None:
        self.tokens = 0

    def load(self) -> LoadReport:
        return LoadReport(1, 1, 1, 0, 10, 0.0, is_draining=False)

    def totals(self) -> LoadTotals:
        return LoadTotals(output_tokens=self.tokens)


class UnsteadySink(RememberingSink):
    async def record_load(self, sample: LoadSample) -> None:
        if self.failures:
            self.failures -= 1
            raise ComptoirError(Reason.USAGE_NOT_RECORDED)
        await super().record_load(sample)


async def test_a_lost_samples_tokens_are_in_the_next_one() -> None:
    source, sink, clock, rounds = Source(), UnsteadySink(), ManualClock(), 0
    sink.failures = 1

    async def sleep(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        clock.advance(seconds)
        source.tokens += 5
        if rounds > 4:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await sample_load(source, sink, clock, interval_seconds=10.0, sleep=sleep)
    assert [sample.since_last.output_tokens for sample in sink.samples] == [10, 5, 5]
    assert len({sample.event_id for sample in sink.samples}) == 3
