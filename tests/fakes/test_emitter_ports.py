from pathlib import Path

import pytest

from services.contract.events import Kind
from services.kernel.clock import ManualClock
from tests.contracts.event_log import EventLogContract, Read
from tests.contracts.spool import SpoolContract, spool_file
from tests.fakes.emitter_ports import MemoryLog, MemorySpool


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class TestMemorySpool(SpoolContract):
    @pytest.fixture
    def spool(self, clock: ManualClock) -> MemorySpool:
        return MemorySpool(spool_file(Path()), clock)


class TestMemoryLog(EventLogContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()

    @pytest.fixture
    def read(self, log: MemoryLog) -> Read:
        async def read(kind: Kind, partition: int) -> list[bytes]:
            return [frame.value for frame in log.records(kind, partition)]

        return read
