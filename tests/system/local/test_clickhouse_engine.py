import itertools

import pytest

from deploy.local.clickhouse.adapters.chdb_engine import ChdbEngine
from tests.contracts.clickhouse_engine import EngineContract

pytestmark = pytest.mark.system

_NUMBERS = itertools.count(1)


class TestChdbEngine(EngineContract):
    @pytest.fixture
    def engine(self, opened: ChdbEngine) -> ChdbEngine:
        return opened

    @pytest.fixture
    def table(self, opened: ChdbEngine) -> str:
        name = f"t{next(_NUMBERS)}"
        writer = opened.connect(is_writer=True, is_readonly=False)
        writer.query(f"CREATE TABLE {name} (a UInt64) ENGINE = MergeTree ORDER BY a", "TSV", {})
        writer.close()
        return name
