"""The engine that other tests use in place of the real one promises what the real one does."""

import pytest

from tests.contracts.clickhouse_engine import EngineContract
from tests.fakes.clickhouse_engine import FakeEngine


class TestFakeEngine(EngineContract):
    @pytest.fixture
    def engine(self) -> FakeEngine:
        return FakeEngine(tables=["t"])

    @pytest.fixture
    def table(self) -> str:
        return "t"
