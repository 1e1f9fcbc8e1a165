from collections.abc import Awaitable, Callable

import pytest

from services.kernel.clock import ManualClock
from tests.contracts.usage_ports import (
    DeadLettersContract,
    EventStoreContract,
    FrameSourceContract,
    LagGaugeContract,
    Rows,
)
from tests.pipelines.usage.frames import NOW_MICROSECONDS
from tests.pipelines.usage.memory import MemoryDeadLetters, MemoryLag, MemoryLog, MemorySource, MemoryStore


class TestMemoryStore(EventStoreContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def now(self) -> int:
        return NOW_MICROSECONDS

    @pytest.fixture
    def rows(self, store: MemoryStore) -> Rows:
        return store.rows

    @pytest.fixture
    def dead(self, store: MemoryStore) -> Callable[[], Awaitable[list[tuple[int, int, int]]]]:
        return store.dead


class TestMemorySource(FrameSourceContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()

    @pytest.fixture
    def make_source(self, log: MemoryLog) -> Callable[[], MemorySource]:
        return lambda: MemorySource(log)


class TestMemoryLag(LagGaugeContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog(ManualClock())

    @pytest.fixture
    def make_source(self, log: MemoryLog) -> Callable[[], MemorySource]:
        return lambda: MemorySource(log)

    @pytest.fixture
    def gauge(self, log: MemoryLog) -> MemoryLag:
        return MemoryLag(log)


class TestMemoryDeadLetters(DeadLettersContract):
    @pytest.fixture
    def dead_letters(self) -> MemoryDeadLetters:
        return MemoryDeadLetters()

    @pytest.fixture
    def letters(
        self, dead_letters: MemoryDeadLetters
    ) -> Callable[[], Awaitable[list[tuple[bytes, dict[str, object]]]]]:
        return dead_letters.letters
